"""Resuming what is no longer the same: it goes on rightly, or one sentence names the difference."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.runner import Runner

pytestmark = pytest.mark.faults

FINCH = dict(type="FINCH", level=0)
SPHERES = dict(type="SphericalKMeans", num_clusters=3)
# Clustered before the first epoch, and then only if something makes it.
ONCE = dict(custom_hooks__0__interval=4)
full = pytest.mark.faults(full=True)


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, dict[str, int]]]:
    """By clusterer: the checkpoint of a run of two epochs, and its labels."""
    return {}


@pytest.fixture
def resumed(interrupted, tiny_config, tmp_path: Path, tmp_path_factory):
    """``resumed(...)``: a third epoch of a run that had ``then`` for its clusterer."""

    def run(then: dict | None = FINCH, **options) -> tuple[Runner, dict[str, int]]:
        if str(then) not in interrupted:
            work_dir = tmp_path_factory.mktemp("interrupted")
            before = train(tiny_config(work_dir, custom_hooks__0__clusterer=then, **ONCE))
            interrupted[str(then)] = (work_dir / "epoch_2.pth", labels_of(before))
        checkpoint, labels = interrupted[str(then)]
        options = {**ONCE, "train_cfg__max_epochs": 3, **options}
        return train(tiny_config(resume=True, load_from=str(checkpoint), **options)), labels

    return run


def train(cfg) -> Runner:
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def labels_of(runner: Runner) -> dict[str, int]:
    dataset = runner.train_dataloader.dataset
    paths = [dataset.videos.get_data_info(i)["filename"] for i in range(len(dataset))]
    return {Path(path).name: label for path, label in zip(paths, dataset.store.labels.tolist())}


def log_of(runner: Runner) -> str:
    return Path(runner.log_dir, f"{runner.timestamp}.log").read_text()


def clustered(tmp_path: Path) -> bool:
    return (tmp_path / "work" / "pseudo_labels" / "epoch_2.npz").exists()


@pytest.fixture
def listing(video_set: Path, tmp_path: Path):
    """``listing(change)``: the option of another list of videos."""

    def write(change: str) -> dict[str, str]:
        names = (video_set / "train.txt").read_text().split("\n")[:-1]
        names = dict(
            added=[*names[:3], "test_0.mp4 0", *names[3:]],
            removed=[*names[:2], *names[3:]],
            reordered=names[::-1],
            replaced=[f"test_{i}.mp4 0" for i in range(4)],
        )[change]
        (tmp_path / "list.txt").write_text("\n".join(names) + "\n")
        return dict(train_dataloader__dataset__dataset__ann_file=str(tmp_path / "list.txt"))

    return write


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("added", "1 added (first: test_0.mp4); pseudo-labels follow"),
        pytest.param("removed", "1 removed (first: train_2.mp4); pseudo-labels follow", marks=full),
        pytest.param("reordered", "checkpoint: another order; pseudo-labels follow", marks=full),
    ],
)
def test_another_list_of_videos(
    resumed, listing, tmp_path: Path, change: str, sentence: str
) -> None:
    runner, before = resumed(**listing(change))
    assert len(set(before.values())) < len(before)  # there is something to confuse
    labels = labels_of(runner)
    assert labels == {name: before.get(name, -1) for name in labels}
    assert len(labels) == len(before) + dict(added=1, removed=-1, reordered=0)[change]
    assert sentence in log_of(runner) and not clustered(tmp_path)


@full
def test_no_video_in_common(resumed, listing) -> None:
    with pytest.raises(ValueError, match=r"^None of the checkpoint's 8 .*train_0.* 4 .*test_0"):
        resumed(**listing("replaced"))


def test_the_videos_lie_in_another_folder(resumed, tiny_config, video_set, tmp_path: Path) -> None:
    """As on a cluster whose jobs each copy the data to a scratch folder of their own."""
    shutil.copytree(video_set, tmp_path / "moved")
    here = dict(train_dataloader__dataset__dataset__data_prefix=dict(video=str(tmp_path / "moved")))
    runner, before = resumed(**here)
    assert labels_of(runner) == before
    assert "The training set has changed" not in log_of(runner)
    whole = train(tiny_config(tmp_path / "whole", train_cfg__max_epochs=3, **ONCE))
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, runner.model.state_dict()[name]), name


@full
def test_another_batch_size(resumed) -> None:
    with pytest.raises(ValueError, match=r"4 videos at once, but this run has .* = 2: set"):
        resumed(train_dataloader__batch_size=2)


@pytest.mark.parametrize(
    ("then", "now"),
    [
        pytest.param(FINCH, SPHERES, id="FINCH to k-means"),
        pytest.param(None, FINCH, id="none to FINCH", marks=full),
        pytest.param(FINCH, None, id="FINCH to none", marks=full),
    ],
)
def test_another_clusterer(resumed, tmp_path: Path, then, now) -> None:
    runner, _ = resumed(then, custom_hooks__0__clusterer=now and dict(now, _delete_=True))
    assert "The clusterer has changed since the checkpoint, from " in log_of(runner)
    labels = np.array(list(labels_of(runner).values()))
    assert clustered(tmp_path) == (now is not None)
    if now is SPHERES:
        assert len(set(labels)) == 3
    if now is None:
        assert labels.tolist() == list(range(8))


@full
@pytest.mark.parametrize("batch_size", [2, 4])
def test_another_number_of_ranks(
    interrupted, resumed, train_on_ranks, tiny_config, tmp_path: Path, batch_size: int
) -> None:
    resumed()
    checkpoint, before = interrupted[str(FINCH)]
    cfg = tiny_config(train_cfg__max_epochs=3, **ONCE)
    cfg.train_dataloader.batch_size = batch_size
    cfg.dump(str(tmp_path / "ranks.py"))
    work_dir = tmp_path / "on_ranks"
    ranks = train_on_ranks(2, tmp_path / "ranks.py", work_dir, "--resume", str(checkpoint))
    ends = [rank.end() for rank in ranks]
    if batch_size == 4:
        for code, said in ends:
            assert code != 0 and "set train_dataloader.batch_size=2 to resume" in said
    else:
        assert not any(code for code, _ in ends), ends
        assert "the batches are the same, but BatchNorm averages over other parts" in ends[0][1]
        saved = torch.load(work_dir / "epoch_3.pth", weights_only=False)  # our own
        assert saved["pseudo_labels"]["labels"].tolist() == list(before.values())
        assert saved["meta"]["iter"] == 6
