"""Descriptors as a view of PseudoLabelHook, in real Runners."""

from __future__ import annotations

import copy
from pathlib import Path

import numpy as np
import pytest
import torch

from slic_mmaction.clustering import finch
from slic_mmaction.datasets.descriptor_file import Descriptors, save_descriptors
from slic_mmaction.hooks.joined_views import join_views

from .test_pseudo_label_hook import find_hook, labels_of, train, use_clusterer

GROUP_OF = [0, 1, 2, 3, 0, 1, 2, 3]


def write(path: Path, names: list[str]) -> dict[str, np.ndarray]:
    """Videos 0 and 4, 1 and 5, ... are alike; the file has another order than the training set."""
    rng = np.random.default_rng(0)
    kinds = rng.normal(size=(4, 6))
    rows = {
        f"train_{i}": (kinds[group] + 1e-3 * rng.normal(size=6)).astype(np.float32)
        for i, group in enumerate(GROUP_OF)
    }
    save_descriptors(path, Descriptors({name: rows[name] for name in names}, {}))
    return rows


@pytest.fixture
def config(tiny_config, tmp_path: Path):
    cfg = use_clusterer(tiny_config(), type="FINCH")
    cfg.train_cfg.max_epochs = 1
    cfg.custom_hooks[0].descriptors = str(tmp_path / "motion.npz")
    return cfg


@pytest.mark.parametrize("workers", [0, 2])
def test_videos_are_clustered_by_embeddings_and_descriptors(
    config, tmp_path: Path, monkeypatch, workers: int
) -> None:
    rows = write(tmp_path / "motion.npz", [f"train_{i}" for i in (5, 2, 0, 7, 1, 3, 6, 4)])
    seen: list[torch.Tensor] = []

    def both(views, *args):
        seen.extend(view.clone() for view in views)
        return join_views(views, *args)

    monkeypatch.setattr("slic_mmaction.hooks.pseudo_label_hook.join_views", both)
    config.custom_hooks[0].num_workers = workers
    runner = train(config)
    embeddings, descriptors = seen
    assert descriptors.tolist() == [rows[f"train_{i}"].tolist() for i in range(8)]
    joined = join_views([embeddings, descriptors], 1 << 20, Path())
    assert labels_of(runner) == finch(joined).labels[:, 0].tolist()


def test_descriptors_alone_need_no_pipeline(config, tmp_path: Path, monkeypatch) -> None:
    rows = write(tmp_path / "motion.npz", [f"train_{i}" for i in range(8)])
    config.custom_hooks[0].pipeline = []
    config.custom_hooks[0].interval = 1
    config.train_cfg.max_epochs = 2

    def embed(*_) -> None:
        raise AssertionError("no video is to be embedded")

    monkeypatch.setattr("slic_mmaction.hooks.pseudo_label_hook.embed_videos", embed)
    matrix = torch.from_numpy(np.stack([rows[f"train_{i}"] for i in range(8)]))
    expected = finch(join_views([matrix], 1 << 20, Path())).labels[:, 0].tolist()
    runner = train(config)
    assert labels_of(runner) == expected
    files = sorted(Path(runner.work_dir, "pseudo_labels").iterdir())
    assert [path.name for path in files] == ["epoch_0.npz"], "clustered once"
    assert expected == GROUP_OF, "videos that are alike are nearest once what all share is gone"


@pytest.mark.parametrize("change", ["a new video", "another file"])
def test_descriptors_alone_are_clustered_anew_if_a_resumed_run_differs(
    config, video_set: Path, tmp_path: Path, change: str
) -> None:
    path = tmp_path / "motion.npz"
    write(path, [f"train_{i}" for i in range(8)])
    config.custom_hooks[0].pipeline = []
    dataset = config.train_dataloader.dataset.dataset
    config.train_dataloader.batch_size = 7
    if change == "a new video":
        whole, dataset.ann_file = dataset.ann_file, str(tmp_path / "train.txt")
        Path(dataset.ann_file).write_text("\n".join(Path(whole).read_text().splitlines()[:7]))
    train(config)
    config.train_cfg.max_epochs = 2
    config.resume = True
    config.experiment_name += "-resumed"
    wanted = GROUP_OF
    if change == "a new video":
        dataset.ann_file = whole
    else:
        config.custom_hooks[0].descriptors = str(tmp_path / "other.npz")
        rows = {f"train_{i}": np.eye(8, dtype=np.float32)[i // 2 * 2] for i in range(8)}
        save_descriptors(tmp_path / "other.npz", Descriptors(rows, {}))
        wanted = [0, 0, 1, 1, 2, 2, 3, 3]
    assert labels_of(train(config)) == wanted


def test_a_video_without_one_belongs_to_no_cluster(config, tmp_path: Path) -> None:
    write(tmp_path / "motion.npz", [f"train_{i}" for i in range(8) if i != 3])
    config.train_dataloader.dataset.max_bad_ratio = 0.2
    labels = labels_of(train(config))
    assert labels[3] == -1 and min(labels[:3] + labels[4:]) == 0


def test_too_many_without_one_stop_the_run(config, tmp_path: Path) -> None:
    write(tmp_path / "motion.npz", ["train_1"])
    with pytest.raises(ValueError, match=r"7 of 8 training videos.*first: train_0; .*: train_1"):
        train(config)


@pytest.mark.slow
def test_a_resumed_run_goes_on_exactly(config, tmp_path: Path) -> None:
    write(tmp_path / "motion.npz", [f"train_{i}" for i in range(8)])
    config.custom_hooks[0].interval = 1
    config.train_cfg.max_epochs = 3
    whole = copy.deepcopy(config)
    whole.work_dir = str(tmp_path / "whole")
    expected = train(whole)
    config.train_cfg.max_epochs = 1
    train(config)
    config.train_cfg.max_epochs = 3
    config.resume = True
    config.experiment_name += "-resumed"
    resumed = train(config)
    assert labels_of(resumed) == labels_of(expected)
    weights = expected.model.state_dict()
    for name, value in resumed.model.state_dict().items():
        assert torch.equal(value, weights[name]), name
    assert find_hook(resumed, "PseudoLabelHook").descriptors
