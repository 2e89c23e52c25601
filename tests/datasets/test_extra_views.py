"""Samples of :class:`ClusterAwareDataset` with more than three views."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.registry import init_default_scope

from slic_mmaction.datasets import ClusterAwareDataset

BOTH = ("shuffled_anchor", "fast_positive")
OPEN = [dict(type="OpenVideo"), dict(type="SampleViewFrames", clip_len=4)]
PIXELS = [
    dict(type="DecodeFrames"),
    dict(type="ClipAugment", size=16),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs", meta_keys=("modalities",)),
]


@pytest.fixture(autouse=True)
def scope() -> None:
    init_default_scope("mmaction")


def make(root: Path, pipeline: list, **kwargs) -> ClusterAwareDataset:
    videos = dict(
        type="VideoDataset", ann_file=str(root / "train.txt"), data_prefix=dict(video=str(root))
    )
    dataset = ClusterAwareDataset(videos, pipeline, **kwargs)
    dataset.store.update([0, 1, 0, 1, 0, 1, 0, 1])
    return dataset


def report(results: dict) -> dict:
    """Video and frame numbers in the place of pixels: (views, 1 + clip_len)."""
    results["video_reader"] = None
    frames = torch.as_tensor(results["frame_inds"]).reshape(-1, 4)
    video = torch.full((len(frames), 1), int(Path(results["filename"]).stem.split("_")[1]))
    return dict(inputs=torch.cat([video, frames], 1), data_samples=ActionDataSample())


def length(video: int) -> int:
    return 5 if video == 0 else 12 + 3 * video


@pytest.mark.parametrize("extra", [BOTH[:1], BOTH[1:], BOTH, BOTH[::-1]])
def test_further_views_follow_the_three_and_are_of_the_right_video(video_set, extra) -> None:
    dataset = make(video_set, [*OPEN, report], p_same_video=0.5, extra_views=extra)
    others = 0
    for epoch in range(10):
        dataset.store.start_epoch(0, epoch)
        for i in range(8):
            sample = dataset[i]
            anchor, positive, second, *more = sample["inputs"].tolist()
            indices = sample["data_samples"].video_indices.tolist()
            assert indices == [view[0] for view in (anchor, positive, second, *more)]
            partner = positive[0]
            others += partner != i
            assert anchor == second and anchor[0] == i and partner % 2 == i % 2
            for name, (video, *frames) in zip(extra, more):
                if name == "shuffled_anchor":
                    assert video == i and sorted(frames) == sorted(anchor[1:])
                else:
                    assert video == partner
                    steps = np.diff(frames) % length(partner)
                    assert (steps == 2).all()
    assert 10 < others < 70


def test_a_sample_of_five_views_is_a_function_of_its_index(video_set) -> None:
    dataset = make(video_set, [*OPEN, *PIXELS], extra_views=BOTH)
    sample = dataset[4]
    assert sample["inputs"].shape == (5, 3, 4, 16, 16)
    assert sample["inputs"].dtype == torch.uint8
    again = make(video_set, [*OPEN, *PIXELS], extra_views=BOTH)[4]
    assert torch.equal(again["inputs"], sample["inputs"])


def test_modalities_are_told_in_the_order_of_the_views(video_set) -> None:
    pipeline = [*OPEN, PIXELS[0], dict(type="FrameDifference", prob=1.0), *PIXELS[1:]]
    kinds = ["rgb", "difference", "difference", "rgb", "rgb"]
    for p in (0.0, 1.0):
        sample = make(video_set, pipeline, p_same_video=p, extra_views=BOTH)[3]
        assert sample["data_samples"].modalities == kinds


@pytest.mark.parametrize("views", [["anchor"], ["fast"]])
def test_an_unknown_view_is_named(video_set, views) -> None:
    with pytest.raises(ValueError, match="extra_views are a list of 'fast_positive' and"):
        make(video_set, OPEN, extra_views=views)
