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
full = pytest.mark.faults(full=True)


@pytest.fixture
def interrupted(tiny_config, tmp_path: Path):
    """``interrupted()`` trains two epochs, clustered before the first; returns its labels."""

    def run(**options) -> dict[str, int]:
        runner = train(tiny_config(tmp_path / "work", custom_hooks__0__interval=4, **options))
        return labels_of(runner)

    return run


@pytest.fixture
def resumed(tiny_config, tmp_path: Path):
    """``resumed()`` resumes it to three epochs, so that it clusters only if something makes it."""

    def run(**options) -> Runner:
        options = dict(custom_hooks__0__interval=4, train_cfg__max_epochs=3, **options)
        return train(tiny_config(tmp_path / "work", resume=True, **options))

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


def clustered_before(tmp_path: Path) -> list[str]:
    return sorted(path.stem for path in (tmp_path / "work" / "pseudo_labels").iterdir())


def listing(video_set: Path, path: Path, change: str) -> dict[str, str]:
    names = (video_set / "train.txt").read_text().split("\n")[:-1]
    names = dict(
        added=[*names[:3], "test_0.mp4 0", *names[3:]],
        removed=[*names[:2], *names[3:]],
        reordered=names[::-1],
        replaced=[f"test_{i}.mp4 0" for i in range(4)],
    )[change]
    path.write_text("\n".join(names) + "\n")
    return dict(train_dataloader__dataset__dataset__ann_file=str(path))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ("added", "1 added (first: test_0.mp4); pseudo-labels follow"),
        pytest.param("removed", "1 removed (first: train_2.mp4); pseudo-labels follow", marks=full),
        pytest.param("reordered", "checkpoint: another order; pseudo-labels follow", marks=full),
    ],
)
def test_another_list_of_videos(
    interrupted, resumed, video_set, tmp_path: Path, fault_row, change: str, sentence: str
) -> None:
    before = interrupted()
    assert len(set(before.values())) < len(before)  # there is something to confuse
    runner = resumed(**listing(video_set, tmp_path / "list.txt", change))
    labels = labels_of(runner)
    assert labels == {name: before.get(name, -1) for name in labels}
    assert len(labels) == len(before) + dict(added=1, removed=-1, reordered=0)[change]
    assert sentence in log_of(runner)
    assert clustered_before(tmp_path) == ["epoch_0"]
    fault_row(f"resumed with a video list {change}", 1, "goes on, labels by path, difference named")


@full
def test_no_video_in_common(interrupted, resumed, video_set, tmp_path: Path, fault_row) -> None:
    interrupted()
    with pytest.raises(ValueError, match=r"^None of the checkpoint's 8 .*train_0.* 4 .*test_0"):
        resumed(**listing(video_set, tmp_path / "list.txt", "replaced"))
    fault_row("resumed with none of the videos", 1, "refused with both lists' first names")


def test_the_videos_lie_in_another_folder(
    interrupted, resumed, tiny_config, video_set, tmp_path: Path, fault_row
) -> None:
    """As on a cluster whose jobs each copy the data to a scratch folder of their own."""
    before = interrupted()
    shutil.copytree(video_set, tmp_path / "moved")
    here = dict(train_dataloader__dataset__dataset__data_prefix=dict(video=str(tmp_path / "moved")))
    runner = resumed(**here)
    assert labels_of(runner) == before
    assert "The training set has changed" not in log_of(runner)
    options = dict(custom_hooks__0__interval=4, train_cfg__max_epochs=3)
    whole = train(tiny_config(tmp_path / "whole", **options))
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, runner.model.state_dict()[name]), name
    fault_row("resumed with the videos in another folder", 1, "goes on, identical")


@full
def test_another_batch_size(interrupted, resumed, fault_row) -> None:
    interrupted()
    with pytest.raises(ValueError, match=r"4 videos at once, but this run has .* = 2: set"):
        resumed(train_dataloader__batch_size=2)
    fault_row("resumed with another batch size", 1, "refused with both sizes and what helps")


@pytest.mark.parametrize(
    ("then", "now", "clusters"),
    [
        pytest.param(FINCH, SPHERES, True, id="FINCH to k-means"),
        pytest.param(None, FINCH, True, id="none to FINCH", marks=full),
        pytest.param(FINCH, None, False, id="FINCH to none", marks=full),
    ],
)
def test_another_clusterer(
    interrupted, resumed, tmp_path: Path, fault_row, then, now, clusters: bool
) -> None:
    interrupted(custom_hooks__0__clusterer=then)
    runner = resumed(custom_hooks__0__clusterer=now and dict(now, _delete_=True))
    assert "The clusterer has changed since the checkpoint, from " in log_of(runner)
    labels = np.array(list(labels_of(runner).values()))
    assert (tmp_path / "work" / "pseudo_labels" / "epoch_2.npz").exists() == clusters
    if now is SPHERES:
        assert len(set(labels)) == 3
    if now is None:
        assert labels.tolist() == list(range(8))
    names = [spec["type"] if spec else "none" for spec in (then, now)]
    what = "clustered anew at once" if clusters else "labels dropped"
    fault_row(f"resumed with clusterer {names[1]} after {names[0]}", 1, f"goes on, {what}")


@full
@pytest.mark.parametrize("batch_size", [2, 4])
def test_another_number_of_ranks(
    interrupted, train_on_ranks, tiny_config, tmp_path: Path, fault_row, batch_size: int
) -> None:
    before = interrupted()
    cfg = tiny_config(custom_hooks__0__interval=4, train_cfg__max_epochs=3)
    cfg.train_dataloader.batch_size = batch_size
    cfg.dump(str(tmp_path / "ranks.py"))
    ranks = train_on_ranks(2, tmp_path / "ranks.py", tmp_path / "work", "--resume")
    ends = [rank.end() for rank in ranks]
    for code, said in ends:
        if batch_size == 4:
            assert code != 0 and "set train_dataloader.batch_size=2 to resume" in said
            outcome = "refused with both batches and what helps"
        else:
            assert code == 0, said[-3000:]
            outcome = "goes on, same batches and labels, difference named"
    if batch_size == 2:
        assert "the same batches, but BatchNorm averages over other parts" in ends[0][1]
        saved = torch.load(tmp_path / "work" / "epoch_3.pth", weights_only=False)  # our own
        assert saved["pseudo_labels"]["labels"].tolist() == list(before.values())
        assert saved["meta"]["iter"] == 6
    fault_row(f"resumed on 2 ranks x {batch_size} after 1 x 4", 1, outcome)
