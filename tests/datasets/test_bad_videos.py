"""Unreadable videos in training and embedding: replaced, logged once, and too many stop."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.distributed as dist
from mmengine.logging import MMLogger
from torch.utils.data import DataLoader

from slic_mmaction.datasets import ClusterAwareDataset
from slic_mmaction.datasets.bad_videos import TooManyBadVideosError
from slic_mmaction.decoding import UnreadableVideoError
from slic_mmaction.pseudo_labels.embedding import EmbeddingDataset, collate_readable

from ..runs import on_two_ranks, video_list

CLIP = [
    dict(type="OpenVideo"),
    dict(type="SampleViewFrames", clip_len=4),
    dict(type="DecodeFrames"),
    dict(type="ClipAugment", size=16),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]
SAMPLE = dict(type="SampleFrames", clip_len=4, num_clips=1, test_mode=True)
EMBED = [CLIP[0], SAMPLE, CLIP[2], *CLIP[4:]]


@pytest.fixture
def log(tmp_path: Path):
    """Read what the current logger has written so far, by whatever process."""
    name = tmp_path.name
    file = tmp_path / "run.log"
    MMLogger.get_instance(name, logger_name=name, log_file=str(file))
    return lambda: file.read_text().splitlines() if file.exists() else []


@pytest.fixture
def folder(video_set: Path, tmp_path: Path) -> Path:
    """Eight training videos: number 2 is empty, number 5 missing and number 6 no video."""
    folder = tmp_path / "videos"
    shutil.copytree(video_set, folder)
    (folder / "train_2.mp4").write_bytes(b"")
    (folder / "train_5.mp4").unlink()
    (folder / "train_6.mp4").write_text("no video")
    return folder


def make(folder: Path, max_bad_ratio: float = 0.5, **options) -> ClusterAwareDataset:
    return ClusterAwareDataset(video_list(folder), CLIP, max_bad_ratio=max_bad_ratio, **options)


def test_a_bad_video_is_replaced_by_the_next(folder: Path, log) -> None:
    dataset = make(folder, p_same_video=1.0)
    anchors = [dataset[i]["data_samples"].video_indices.tolist()[0] for i in range(8)]
    assert anchors == [0, 1, 3, 3, 4, 7, 7, 7]
    # Same video, own draws: the replacement is no copy of the neighbour's sample.
    assert not torch.equal(dataset[2]["inputs"], dataset[3]["inputs"])
    assert dataset[2]["data_samples"].pseudo_label.tolist() == [3]
    assert dataset.bad_videos.unreadable.nonzero().flatten().tolist() == [2, 5, 6]
    for i in range(8):
        dataset[i]
    for number, reason in ((2, "cannot be opened"), (5, "does not exist"), (6, "cannot be opened")):
        lines = [line for line in log() if f"train_{number}.mp4" in line]
        assert len(lines) == 1 and "unreadable video" in lines[0] and reason in lines[0]


def test_a_bad_positive_is_replaced_too(folder: Path) -> None:
    dataset = make(folder, p_same_video=0.0)
    dataset.store.update([0, 1, 0, 1, 2, 2, 3, 3])  # 2, 5 and 6 are somebody's only positive
    samples = [dataset[i]["data_samples"] for i in range(8)]
    indices = [sample.video_indices.tolist()[:2] for sample in samples]
    assert indices == [[1, 3], [1, 3], [3, 1], [3, 1], [1, 3], [1, 3], [1, 3], [1, 3]]
    assert [int(s.pseudo_label) for s in samples] == [1] * 8


def collect(dataset: ClusterAwareDataset, workers: int) -> list[torch.Tensor]:
    out = []
    loader = DataLoader(dataset, 2, num_workers=workers, collate_fn=list)
    for epoch in range(3):
        dataset.store.start_epoch(seed=0, epoch=epoch)
        dataset.store.update(np.arange(8) // 4)
        out += [sample["inputs"] for batch in loader for sample in batch]
    return out


def test_samples_do_not_depend_on_who_found_the_bad_videos(folder: Path, log) -> None:
    reference = collect(make(folder), 0)
    dataset = make(folder)
    assert all(torch.equal(a, b) for a, b in zip(collect(dataset, 2), reference))
    # What workers found the main process knows, and later workers do not open it again.
    assert dataset.bad_videos.unreadable.sum() == 3
    before = len(log())
    collect(dataset, 1)
    assert len(log()) == before
    known = make(folder)
    for index in (2, 5, 6):
        with pytest.raises(UnreadableVideoError), known.bad_videos.reading(index):
            raise UnreadableVideoError("found before the first epoch")
    assert all(torch.equal(a, b) for a, b in zip(collect(known, 0), reference))


def test_too_many_stop_the_run_with_the_list(folder: Path, video_set: Path) -> None:
    dataset = make(folder, max_bad_ratio=0.25)
    with pytest.raises(TooManyBadVideosError) as caught:
        for i in range(8):
            dataset[i]
    message = str(caught.value)
    assert "3 of 8 videos cannot be read, more than max_bad_ratio=0.25 allows" in message
    assert all(f"train_{i}.mp4" in message for i in (2, 5, 6)) and "train_3" not in message
    shutil.copy(video_set / "train_6.mp4", folder / "train_6.mp4")
    dataset = make(folder, max_bad_ratio=0.25)
    assert len([dataset[i] for i in range(8)]) == 8, "two of eight are a quarter"


def test_nothing_readable_at_all_and_errors_of_the_pipeline(folder: Path) -> None:
    dataset = make(folder)
    dataset.pipeline.transforms[3] = None
    with pytest.raises(TypeError, match="'NoneType' object is not callable"):
        dataset[0]
    assert not dataset.bad_videos.unreadable.any()
    for path in folder.glob("train_*.mp4"):
        path.unlink()
    with pytest.raises(UnreadableVideoError, match=r"train_\d\.mp4"):
        make(folder, max_bad_ratio=1.0)[0]
    with pytest.raises(ValueError, match=r"max_bad_ratio must be in 0\.\.1, but is 1\.5"):
        make(folder, max_bad_ratio=1.5)


def test_whatever_a_transform_cannot_read_makes_a_bad_video(video_set: Path) -> None:
    dataset = make(video_set, max_bad_ratio=0.1)
    dataset.pipeline.transforms.insert(
        1, lambda results: Path(results["filename"], "flow").read_bytes()
    )
    with pytest.raises(TooManyBadVideosError, match=r"1 of 8 videos"):
        dataset[3]


def test_embedding_leaves_bad_videos_out(folder: Path) -> None:
    dataset = make(folder)
    clips = EmbeddingDataset(dataset, EMBED)
    loader = DataLoader(clips, 3, num_workers=2, collate_fn=collate_readable)
    for _ in range(2):
        batches = list(loader)
        assert [batch["unreadable"] for batch in batches] == [[2], [5], [6]]
        seen = [s.video_index for batch in batches for s in batch["data_samples"]]
        assert seen == [0, 1, 3, 4, 7]
        assert [len(batch["inputs"]) for batch in batches] == [2, 2, 1]
    assert dataset.bad_videos.unreadable.nonzero().flatten().tolist() == [2, 5, 6]
    alone = DataLoader(clips, 1, sampler=[5], collate_fn=collate_readable)
    assert list(alone) == [dict(unreadable=[5])]


def _one_rank(rank: int, folder: Path, meeting: Path) -> None:
    dist.init_process_group("gloo", init_method=f"file://{meeting}", rank=rank, world_size=2)
    marks = make(folder, max_bad_ratio=0.25).bad_videos
    for index in ((2, 5), (5, 6))[rank]:
        with pytest.raises(UnreadableVideoError), marks.reading(index):
            raise UnreadableVideoError("found on one rank")
    with pytest.raises(TooManyBadVideosError, match="3 of 8"):
        marks.merge_ranks()
    assert marks.unreadable.nonzero().flatten().tolist() == [2, 5, 6]
    dist.destroy_process_group()


def test_ranks_learn_of_each_other(folder: Path, tmp_path: Path) -> None:
    """Two of eight are allowed, and neither rank has seen more."""
    on_two_ranks(_one_rank, folder, tmp_path / "meeting")


def test_a_short_video_is_noted_once(video_set: Path, log) -> None:
    dataset = make(video_set)
    for lost in (3, 3):
        dataset.bad_videos.note_lost(4, dict(lost_frames=lost, total_frames=20))
    dataset.bad_videos.note_lost(1, dict(total_frames=20))
    (line,) = log()
    assert "train_4.mp4 lacks 3 of the 23 frames" in line
    assert dataset.bad_videos.short.nonzero().flatten().tolist() == [4]
    assert not dataset.bad_videos.unreadable.any()
