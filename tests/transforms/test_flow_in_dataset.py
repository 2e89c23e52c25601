"""The flow recipe from extracted files to samples, as a config builds it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from mmengine.registry import init_default_scope

from slic_mmaction.datasets import ClusterAwareDataset
from slic_mmaction.flow import FlowSettings
from slic_mmaction.flow.extract import extract, listed_videos, plan

SETTINGS = FlowSettings(method="dis", short_side=24)


@pytest.fixture(scope="module")
def flow_root(video_set: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("flow")
    for job in plan(listed_videos(video_set / "train.txt", video_set), video_set, out):
        assert extract(job, SETTINGS) is None
    return out


def dataset(video_set: Path, view: dict, p_same_video: float) -> ClusterAwareDataset:
    init_default_scope("mmaction")
    videos = dict(
        type="VideoDataset",
        ann_file=str(video_set / "train.txt"),
        data_prefix=dict(video=str(video_set)),
    )
    pipeline = [
        dict(type="DecordInit"),
        dict(type="SampleViewFrames", clip_len=8),
        dict(type="DecordDecode"),
        view,
        dict(type="ClipRandomResizedCrop", size=16),
        dict(type="ClipFlip"),
        dict(type="ClipColorJitter", prob=1),
        dict(type="FormatShape", input_format="NCTHW"),
        dict(type="PackActionInputs", meta_keys=("modalities",)),
    ]
    return ClusterAwareDataset(videos, pipeline, p_same_video)


def grey(clip: np.ndarray) -> bool:
    """Whether a (C, T, H, W) clip has one value in its three channels."""
    return bool((clip == clip[:1]).all())


@pytest.mark.parametrize("p_same_video", [0.0, 1.0])
@pytest.mark.parametrize("source", ["files", "dis", "difference"])
def test_all_but_the_first_anchor_are_flow(
    video_set: Path, flow_root: Path, source: str, p_same_video: float
) -> None:
    """Whether the positive is the same video's or another's; video 0 is shorter than a clip."""
    view = dict(type="FlowView", source=source, prob=1.0)
    if source == "files":
        view.update(root=str(flow_root), video_root=str(video_set))
    elif source == "difference":
        view = dict(type="FrameDifference", prob=1.0)
    samples = dataset(video_set, view, p_same_video)
    samples.store.update(np.zeros(len(samples), np.int64))
    others = 0
    for index in range(len(samples)):
        sample = samples[index]
        anchor, positive, second = sample["inputs"].numpy()
        assert not grey(anchor) and grey(positive) and grey(second)
        assert sample["data_samples"].modalities[0] == "rgb"
        assert sample["data_samples"].modalities[-1] in ("flow", "difference")
        others += sample["data_samples"].video_indices[1].item() != index
    assert others == (0 if p_same_video else len(samples))


def test_a_sample_is_a_function_of_seed_epoch_and_index(video_set: Path, flow_root: Path) -> None:
    view = dict(type="FlowView", prob=0.5, root=str(flow_root), video_root=str(video_set))
    first, again = (dataset(video_set, view, 1.0) for _ in range(2))
    modalities = set()
    for index in range(len(first)):
        one, other = first[index], again[index]
        np.testing.assert_array_equal(one["inputs"], other["inputs"])
        modalities.add(tuple(one["data_samples"].modalities))
    assert len(modalities) > 1
