"""Wrong options of a dataset and wrong pipelines: a sentence, and which option it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from mmengine.registry import init_default_scope

from slic_mmaction.datasets import ClusterAwareDataset
from slic_mmaction.datasets.clips import make_clips
from slic_mmaction.datasets.videos import build_videos


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(ann_file=None), "VideoDataset needs ann_file of type str, but got None"),
        (dict(ann_file=["a.txt"]), "needs ann_file of type str"),
        (dict(data_prefix="videos"), "needs data_prefix of type dict, but got 'videos'"),
        (dict(data_prefix=None), "needs data_prefix of type dict"),
        (dict(num_classes="101"), r"needs num_classes of type int \| None, but got '101'"),
        (dict(start_index=0.5), "needs start_index of type int"),
        (dict(multi_class="no"), "needs multi_class of type bool"),
        (dict(delimiter=3), r"needs delimiter of type str \| None"),
    ],
)
def test_a_type_is_named(options: dict[str, Any], message: str) -> None:
    with pytest.raises(TypeError, match=message):
        build_videos({"type": "mmaction.VideoDataset", "ann_file": "a.txt", **options})


@pytest.mark.parametrize(
    ("kind", "prefix", "needed"),
    [
        ("VideoDataset", {}, "video"),
        ("VideoDataset", dict(img="frames"), "video"),
        ("VideoDataset", dict(video=None), "video"),
        ("RawframeDataset", dict(video="videos"), "img"),
    ],
)
def test_the_part_of_the_prefix_is_named(kind: str, prefix: dict, needed: str) -> None:
    with pytest.raises(ValueError, match=rf"{kind} needs data_prefix=dict\({needed}=FOLDER\)"):
        build_videos(dict(type=f"mmaction.{kind}", ann_file="a.txt", data_prefix=prefix))


def test_what_is_no_dataset_is_named() -> None:
    for wrong in (None, "videos", 3, [], {}, dict(ann_file="a.txt")):
        with pytest.raises(TypeError, match="A dataset of videos was expected, such as dict"):
            build_videos(wrong)
    init_default_scope("mmaction")
    with pytest.raises(KeyError, match="NoSuch is not in the mmaction::dataset registry"):
        build_videos(dict(type="NoSuch"))


OPEN = [dict(type="OpenVideo"), dict(type="SampleViewFrames", clip_len=4)]
END = [dict(type="FormatShape", input_format="NCTHW"), dict(type="PackActionInputs")]


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        ([*OPEN[1:], dict(type="DecodeFrames"), *END], r"needs the key 'total_frames', which none"),
        ([*OPEN, dict(type="DecodeFrames")], "must end with PackActionInputs"),
        ([], "must end with PackActionInputs"),
        (
            [OPEN[0], dict(type="SampleFrames", clip_len=4), dict(type="DecodeFrames"), *END],
            r"made inputs of shape \(1, 3, 4, 32, 40\) for 3 views of a video: use SampleViewF",
        ),
    ],
)
def test_a_wrong_pipeline_is_explained(video_set: Path, pipeline: list, message: str) -> None:
    init_default_scope("mmaction")
    videos = dict(
        type="VideoDataset",
        ann_file=str(video_set / "train.txt"),
        data_prefix=dict(video=str(video_set)),
    )
    dataset = ClusterAwareDataset(videos, pipeline, p_same_video=1.0)
    dataset.store.start_epoch(0, 0)
    with pytest.raises(ValueError, match=message):
        dataset[1]


def test_clips_are_counted_by_views() -> None:
    packed = dict(inputs=[0] * 6, data_samples=None)
    assert make_clips(lambda results: packed, {}, views=3) is packed
    for broken in (None, dict(inputs=[0])):
        with pytest.raises(ValueError, match="must end with PackActionInputs"):
            make_clips(lambda results, broken=broken: broken, {}, views=1)
