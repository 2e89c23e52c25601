"""Views of the videos are joined and clustered."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from slic_mmaction.clustering import finch
from slic_mmaction.datasets.bad_videos import TooManyBadVideosError
from slic_mmaction.pseudo_labels import labelling
from slic_mmaction.pseudo_labels.descriptors import Descriptors, save_descriptors
from slic_mmaction.pseudo_labels.labelling import concatenate_views

from ..runs import assert_same, hook_of, interrupted_at, labels_of, log_of, state, train

GROUP_OF = [0, 1, 2, 3, 0, 1, 2, 3]


def centred_cosines(rows: np.ndarray) -> np.ndarray:
    unit = [row / np.linalg.norm(row) for row in rows]
    mean = sum(unit) / len(unit)
    centred = [(row - mean) / np.linalg.norm(row - mean) for row in unit]
    return np.array([[a @ b for b in centred] for a in centred])


@pytest.mark.parametrize("count", [3, 8, 12])
def test_cosines_are_the_mean_of_the_views_centred_cosines(count: int) -> None:
    rng = np.random.default_rng(count)
    # The second view: nearly alike, in another unit, of another width.
    views = [rng.normal(size=(count, 4)), 100 * (1 + 0.01 * rng.normal(size=(count, 6)))]
    joined = concatenate_views([torch.from_numpy(v).float() for v in views])
    assert joined.shape == (count, 10) and joined.dtype == torch.float32
    got = torch.nn.functional.normalize(joined.double(), dim=1)
    wanted = (centred_cosines(views[0]) + centred_cosines(views[1])) / 2
    np.testing.assert_allclose((got @ got.T).numpy(), wanted, atol=1e-3)


@pytest.fixture
def joined_views(monkeypatch) -> list[torch.Tensor]:
    """The views that are joined in a run."""
    seen: list[torch.Tensor] = []

    def spy(views):
        seen.extend(view.clone() for view in views)
        return concatenate_views(views)

    monkeypatch.setattr(labelling, "concatenate_views", spy)
    return seen


def assert_clustered_by(views: list[torch.Tensor], labels: list[int]) -> None:
    assert labels == finch(concatenate_views(views)).labels[:, 0].tolist()


@TRANSFORMS.register_module()
class OnlyBlue(BaseTransform):
    """A second way to see a video, in which another colour decides."""

    def transform(self, results: dict) -> dict:
        results["imgs"] = [frame * np.uint8([0, 0, 1]) for frame in results["imgs"]]
        return results


def test_videos_are_clustered_by_both_pipelines(tiny_config, joined_views) -> None:
    cfg = tiny_config(train_cfg__max_epochs=1)
    hook = cfg.custom_hooks[0]
    at = [step["type"] for step in hook.pipeline].index("DecodeFrames") + 1
    hook.second_pipeline = [*hook.pipeline[:at], dict(type="OnlyBlue"), *hook.pipeline[at:]]
    runner = train(cfg)
    first, second = joined_views
    assert first.shape == second.shape and not torch.allclose(first, second)
    assert_clustered_by(joined_views, labels_of(runner))


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
    cfg = tiny_config(train_cfg__max_epochs=1)
    cfg.custom_hooks[0].clusterer = dict(type="FINCH")
    cfg.custom_hooks[0].descriptors = str(tmp_path / "motion.npz")
    return cfg


def test_videos_are_clustered_by_embeddings_and_descriptors_and_resumed(
    config, tmp_path: Path, joined_views
) -> None:
    rows = write(tmp_path / "motion.npz", [f"train_{i}" for i in (5, 2, 0, 7, 1, 3, 6, 4)])
    config.train_cfg.max_epochs = 2
    config.custom_hooks[0].num_workers = 2
    whole = train(config)
    assert joined_views[1].tolist() == [rows[f"train_{i}"].tolist() for i in range(8)]
    assert_clustered_by(joined_views[2:], labels_of(whole))

    work = interrupted_at(Path(config.work_dir) / "epoch_1.pth", tmp_path / "parts")
    config.merge_from_dict(dict(work_dir=str(work), resume=True))
    resumed = train(config)
    assert labels_of(resumed) == labels_of(whole)
    assert_same(dict(resumed.model.state_dict()), dict(whole.model.state_dict()))
    assert "changed" not in log_of(resumed) and hook_of(resumed, "PseudoLabelHook").descriptors


def test_descriptors_alone_are_clustered_once_or_where_a_resumed_run_differs(
    config, video_set: Path, tmp_path: Path, monkeypatch
) -> None:
    path = tmp_path / "motion.npz"
    rows = write(path, [f"train_{i}" for i in range(8)])
    hook = config.custom_hooks[0]
    hook.update(pipeline=[], interval=1)
    config.train_cfg.max_epochs = 2
    dataset = config.train_dataloader.dataset.dataset
    lines = Path(dataset.ann_file).read_text().splitlines()
    config.train_dataloader.batch_size = 7
    dataset.ann_file = str(tmp_path / "seven.txt")
    Path(dataset.ann_file).write_text("\n".join(lines[:7]))

    def embed(*_) -> None:
        raise AssertionError("no video is to be embedded")

    monkeypatch.setattr(labelling, "embed_videos", embed)
    runner = train(config)
    first = torch.from_numpy(np.stack([rows[f"train_{i}"] for i in range(7)]))
    assert_clustered_by([first], labels_of(runner))
    files = sorted(Path(runner.work_dir, "pseudo_labels").iterdir())
    assert [file.name for file in files] == ["epoch_0.npz"]

    save_descriptors(
        tmp_path / "other.npz",
        Descriptors({f"train_{i}": np.eye(8, dtype=np.float32)[i // 2 * 2] for i in range(8)}, {}),
    )
    config.train_cfg.max_epochs = 3
    changes = (
        # A new video. Those that are alike are nearest once what all share is gone.
        (str(path), str(video_set / "train.txt"), GROUP_OF),
        (str(tmp_path / "other.npz"), str(video_set / "train.txt"), [0, 0, 1, 1, 2, 2, 3, 3]),
    )
    for number, (descriptors, ann_file, wanted) in enumerate(changes):
        work = interrupted_at(Path(runner.work_dir) / "epoch_2.pth", tmp_path / f"change {number}")
        hook.descriptors, dataset.ann_file = descriptors, ann_file
        config.update(work_dir=str(work), resume=True)
        assert labels_of(train(config)) == wanted


def test_a_video_without_a_descriptor_or_that_cannot_be_read_belongs_to_no_cluster(
    config, video_set: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "videos"
    shutil.copytree(video_set, folder)
    (folder / "train_3.mp4").write_bytes(b"no video")
    write(tmp_path / "motion.npz", [f"train_{i}" for i in range(8) if i != 5])
    dataset = config.train_dataloader.dataset
    dataset.max_bad_ratio = 0.2
    dataset.dataset.data_prefix = dict(video=str(folder))
    config.train_dataloader.num_workers = config.custom_hooks[0].num_workers = 1
    runner = train(config)
    labels = labels_of(runner)
    assert [i for i, label in enumerate(labels) if label < 0] == [3, 5]
    bad = runner.train_dataloader.dataset.bad_videos.unreadable
    assert bad.nonzero().flatten().tolist() == [3]
    log = log_of(runner)
    assert log.count("train_3.mp4") == 1 and "Skipping an unreadable video" in log
    assert state(Path(config.work_dir) / "epoch_1.pth")["pseudo_labels"]["labels"][3] == -1

    dataset.max_bad_ratio = 0.0
    with pytest.raises(ValueError, match=r"1 of 8 training videos.*first: train_5; .*: train_0"):
        train(config)
    config.custom_hooks[0].descriptors = None
    with pytest.raises(TooManyBadVideosError, match=r"1 of 8 videos cannot be read(.|\n)*train_3"):
        train(config)
