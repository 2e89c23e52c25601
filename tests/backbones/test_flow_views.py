"""Views of optical flow reach networks that see clips and networks that see frames alike."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from slic_mmaction.datasets import ClusterAwareDataset

FRAMES, SIDE = 4, 32


@pytest.mark.parametrize("family", ["R3D", "Swin", "TSN", "MobileNetV2"])
def test_a_loss_of_flow_and_rgb(recognizer, video_set: Path, family: str) -> None:
    init_default_scope("mmaction")
    model = recognizer(family)
    in_2d = model.cls_head.num_segments is not None
    videos = dict(
        type="VideoDataset",
        ann_file=str(video_set / "train.txt"),
        data_prefix=dict(video=str(video_set)),
    )
    pipeline = [
        dict(type="OpenVideo"),
        dict(type="SampleViewFrames", clip_len=FRAMES),
        dict(type="DecodeFrames"),
        dict(type="FlowView", source="dis", prob=1.0),
        dict(type="ClipAugment", size=SIDE, gray_prob=0),
        dict(type="FormatShape", input_format="NCHW" if in_2d else "NCTHW"),
        dict(type="PackActionInputs", meta_keys=("modalities",)),
    ]
    dataset = ClusterAwareDataset(videos, pipeline, p_same_video=0.5)
    dataset.store.start_epoch(0, 0)
    batch = pseudo_collate([dataset[i] for i in (1, 2, 3)])
    for views, sample in zip(batch["inputs"], batch["data_samples"]):
        clips = views.unflatten(0, (3, -1)).transpose(1, 2) if in_2d else views
        # One value in all channels is flow: of the three views all but the anchor.
        flow = [bool((clip == clip[:1]).all()) for clip in clips]
        assert flow == [name == "flow" for name in sample.modalities] == [False, True, True]
    losses = model(**model.data_preprocessor(batch, training=True), mode="loss")
    assert all(value.isfinite() for value in losses.values())
    (losses["loss_triplet"] + losses["loss_temporal"]).backward()
    stem = next(p for p in model.backbone.parameters() if p.ndim > 3)
    assert stem.grad.any() and torch.isfinite(stem.grad).all()
