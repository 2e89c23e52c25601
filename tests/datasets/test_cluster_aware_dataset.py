from __future__ import annotations

import random
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS
from mmaction.structures import ActionDataSample
from torch.utils.data import DataLoader

from slic_mmaction.datasets import ClusterAwareDataset
from slic_mmaction.datasets import videos as videos_module
from slic_mmaction.datasets.cluster_aware_dataset import join_views, sample_seed, seeded_draws
from slic_mmaction.datasets.videos import data_folder, true_labels

from ..runs import video_list

OPEN = [dict(type="OpenVideo"), dict(type="SampleViewFrames", clip_len=4)]
DECODE = dict(type="DecodeFrames")
END = [dict(type="FormatShape", input_format="NCTHW"), dict(type="PackActionInputs")]
PIPELINE = [
    *OPEN,
    DECODE,
    dict(type="ClipAugment", size=16),
    dict(type="Flip", flip_ratio=0.5),  # a stock transform draws reproducibly, too
    END[0],
    dict(type="PackActionInputs", meta_keys=("modalities",)),
]
BOTH = ("shuffled_anchor", "fast_positive")


def make(root: Path, pipeline=PIPELINE, **kwargs) -> ClusterAwareDataset:
    cfg = dict(type="ClusterAwareDataset", dataset=video_list(root), pipeline=pipeline, **kwargs)
    return DATASETS.build(cfg)


def draw() -> tuple:
    return random.random(), float(np.random.rand()), float(torch.rand(1))


def test_draws_are_those_of_earlier_versions_and_leave_the_callers_alone() -> None:
    def seed_all() -> None:
        random.seed(5)
        np.random.seed(5)
        torch.manual_seed(5)

    seed_all()
    expected = draw()
    seed_all()
    seed = sample_seed(3, 1, 4)
    assert seed == 1798932345466327501
    with pytest.raises(KeyError), seeded_draws(seed):
        assert draw() == (0.1658451716940721, 0.1658451716940721, 0.18444639444351196)
        raise KeyError
    assert draw() == expected
    keys = [(s, e, i, a) for s in range(3) for e in range(10) for i in range(50) for a in (0, 1)]
    assert len({sample_seed(*key) for key in keys}) == len(keys)


def test_a_sample_is_three_views_without_the_true_label(video_set) -> None:
    seen: list[set] = []
    dataset = make(video_set, [lambda results: seen.append(set(results)) or results, *PIPELINE])
    dataset.store.update([0, 0, 1, 1, 2, 2, -1, 3])
    assert len(dataset) == 8 and dataset.metainfo == {}
    for i in range(len(dataset)):
        sample = dataset[i]
        assert sample["inputs"].shape == (3, 3, 4, 16, 16)
        assert sample["inputs"].dtype == torch.uint8
        element = sample["data_samples"]
        assert element.pseudo_label.tolist() == [dataset.store.labels[i].item()]
        assert element.video_indices[[0, 2]].tolist() == [i, i]
        assert "gt_label" not in element and "label" not in element.all_keys()
    assert seen and all("label" not in keys for keys in seen)


def report(results: dict) -> dict:
    """Video and frame numbers instead of pixels: (views, 1 + clip_len)."""
    results["video_reader"] = None
    frames = torch.as_tensor(results["frame_inds"]).reshape(-1, 4)
    video = torch.full((len(frames), 1), int(Path(results["filename"]).stem.split("_")[1]))
    return dict(inputs=torch.cat([video, frames], 1), data_samples=ActionDataSample())


def length(video: int) -> int:
    return 5 if video == 0 else 12 + 3 * video


@pytest.mark.parametrize(
    ("extra", "p", "low", "high"),
    [((), 0.0, 0, 0), (BOTH[:1], 0.2, 0.1, 0.3), (BOTH[1:], 0.5, 0.3, 0.7), (BOTH[::-1], 1, 1, 1)],
)
def test_views_are_of_the_right_video_and_frames(video_set, extra, p, low, high) -> None:
    dataset = make(video_set, [*OPEN, report], p_same_video=p, extra_views=extra)
    dataset.store.update([0, 1, 0, 1, 0, 1, 0, 1])
    same = []
    for epoch in range(15):
        dataset.store.start_epoch(0, epoch)
        for i in range(8):
            sample = dataset[i]
            anchor, positive, second, *more = sample["inputs"].tolist()
            indices = sample["data_samples"].video_indices.tolist()
            assert indices == [view[0] for view in (anchor, positive, second, *more)]
            assert anchor == second == [i, *(t % length(i) for t in range(4))]
            partner, start = positive[:2]
            same.append(partner == i)
            assert partner % 2 == i % 2
            assert min(length(partner) - 4, 4) <= start <= length(partner) - 4
            for name, (video, *frames) in zip(extra, more):
                if name == "shuffled_anchor":
                    assert video == i and sorted(frames) == sorted(anchor[1:])
                else:
                    assert video == partner
                    assert (np.diff(frames) % length(partner) == 2).all()
    assert low <= np.mean(same) <= high


def collect(dataset: ClusterAwareDataset, workers: int, epochs: range, **kwargs) -> list:
    loader = DataLoader(
        dataset, batch_size=2, num_workers=workers, collate_fn=list, shuffle=False, **kwargs
    )
    out = []
    for epoch in epochs:
        dataset.store.start_epoch(seed=3, epoch=epoch)
        dataset.store.update(np.arange(8) // (epoch + 2))
        for batch in loader:
            for sample in batch:
                element = sample["data_samples"]
                out.append((sample["inputs"], element.video_indices, element.pseudo_label))
    return out


def test_samples_do_not_depend_on_the_workers(video_set) -> None:
    reference = collect(make(video_set, extra_views=BOTH), 0, range(2))
    assert reference[0][0].shape == (5, 3, 4, 16, 16)
    for workers, persistent in ((2, False), (1, True)):
        dataset = make(video_set, extra_views=BOTH)
        got = collect(dataset, workers, range(2), persistent_workers=persistent)
        for ours, theirs in zip(got, reference):
            assert all(torch.equal(a, b) for a, b in zip(ours, theirs))
    second_epoch_alone = collect(make(video_set, extra_views=BOTH), 0, range(1, 2))
    for ours, theirs in zip(second_epoch_alone, reference[8:]):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs))
    first, second = reference[:8], reference[8:]
    assert not any(torch.equal(a[0], b[0]) for a, b in zip(first, second))


def test_views_are_joined_whatever_their_order_in_memory() -> None:
    frames = [torch.randint(256, (n, 4, 6, 5, 3), dtype=torch.uint8) for n in (1, 2, 1)]
    clips = [clip.permute(0, 4, 1, 2, 3) for clip in frames]  # channels last in memory
    mixed = [clips[0], clips[1].contiguous(), clips[2]]
    for given in (clips, mixed, [clip.contiguous() for clip in clips]):
        joined = join_views(given)
        assert joined.shape == (4, 3, 4, 6, 5) and torch.equal(joined, torch.cat(clips))


def test_modalities_are_told_in_the_order_of_the_views(video_set) -> None:
    pipeline = [*OPEN, DECODE, dict(type="FrameDifference", prob=1.0), *PIPELINE[3:]]
    kinds = ["rgb", "difference", "difference", "rgb", "rgb"]
    for p in (0.0, 1.0):
        dataset = make(video_set, pipeline, p_same_video=p, extra_views=BOTH)
        dataset.store.update([0] * 8)
        assert dataset[3]["data_samples"].modalities == kinds


def test_raw_frames_work_the_same(tmp_path: Path) -> None:
    for t in range(9):
        cv2.imwrite(str(tmp_path / f"img_{t + 1:05}.jpg"), np.full((20, 24, 3), 40))
    (tmp_path / "train.txt").write_text(". 9 0")
    frames = dict(
        type="RawframeDataset",
        ann_file=str(tmp_path / "train.txt"),
        data_prefix=dict(img=str(tmp_path)),
    )
    pipeline = [OPEN[1], dict(type="RawFrameDecode"), *PIPELINE[3:]]
    sample = ClusterAwareDataset(frames, pipeline, p_same_video=1.0)[0]
    assert sample["inputs"].shape == (3, 3, 4, 16, 16)


def test_a_video_listed_again_is_the_same_video(
    video_set: Path, tmp_path: Path, monkeypatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(videos_module, "print_log", lambda line, **_: said.append(line))
    part = dict(video_list(video_set), pipeline=[dict(type="NotUsed")])
    other = {**part, "ann_file": str(tmp_path / "other.txt"), "data_prefix": dict(video="")}
    Path(other["ann_file"]).write_text(
        f"{video_set}/x/../train_2.mp4 0\n{video_set}/test_0.mp4 0\n"
    )
    repeated = dict(type="RepeatDataset", times=2, dataset=other)
    listed = dict(type="ConcatDataset", datasets=[part, repeated])
    dataset = ClusterAwareDataset(listed, [*OPEN, report], p_same_video=0.0)
    assert (len(dataset), len(dataset.store), len(dataset.bad_videos.unreadable)) == (12, 9, 9)
    assert dataset.videos.of_entry.tolist() == [0, 1, 2, 3, 4, 5, 6, 7, 2, 8, 2, 8]
    assert true_labels(dataset.videos).tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0]
    (line,) = said
    assert line.startswith("3 of 12 entries of the training set repeat a video: it has 9")
    dataset.store.update([0, 0, 1, 2, 2, 3, 3, 4, 4])
    indices = [dataset[entry]["data_samples"].video_indices.tolist() for entry in range(12)]
    partner = {0: 1, 1: 0, 2: 2, 3: 4, 4: 3, 5: 6, 6: 5, 7: 8, 8: 7}  # 2 is alone
    assert indices == [[v, partner[v], v] for v in dataset.videos.of_entry.tolist()]
    both = ClusterAwareDataset(dict(part, ann_file=[part["ann_file"]] * 2), [])
    assert (len(both), len(both.videos), data_folder(both.videos)) == (16, 8, str(video_set))


def test_parts_of_raw_frames_are_different_videos(tmp_path: Path) -> None:
    (tmp_path / "list.txt").write_text("a 0 9\na 9 8\na 0 9\n")
    frames = dict(
        type="RawframeDataset", ann_file=str(tmp_path / "list.txt"), data_prefix=dict(img="")
    )
    dataset = ClusterAwareDataset(dict(frames, with_offset=True), [])
    assert dataset.videos.of_entry.tolist() == [0, 1, 0]


def test_bad_settings_are_named(video_set) -> None:
    with pytest.raises(ValueError, match=r"p_same_video in 0\.\.1, but got 1\.2"):
        make(video_set, p_same_video=1.2)
    for views in (["anchor"], ["fast"]):
        with pytest.raises(ValueError, match="extra_views are a list of 'fast_positive' and"):
            make(video_set, OPEN, extra_views=views)


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        ([OPEN[1], DECODE, *END], r"needs the key 'total_frames', which no earlier"),
        ([*OPEN, DECODE], "must end with PackActionInputs"),
        ([], "must end with PackActionInputs"),
        (
            [OPEN[0], dict(type="SampleFrames", clip_len=4), DECODE, *END],
            r"made inputs of shape \(1, 3, 4, 32, 40\) for 3 views of a video: use SampleViewF",
        ),
    ],
)
def test_a_wrong_pipeline_is_explained(video_set: Path, pipeline: list, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(video_set, pipeline, p_same_video=1.0)[1]
