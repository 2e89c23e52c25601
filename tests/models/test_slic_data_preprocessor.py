from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.dataset import pseudo_collate

from slic_mmaction.datasets import ClusterAwareDataset
from slic_mmaction.models import SLICDataPreprocessor
from slic_mmaction.transforms.clip_draws import UNIFORMS

NORMALISE = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], format_shape="NCTHW")
VIEWS = (3, 3, 4, 16, 20)  # views, channels, frames, height, width


def batch(seeds: list[int], **metainfo) -> dict:
    """``FormatShape`` hands out views on frames with the channels last."""
    inputs, samples = [], []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        frames = rng.integers(0, 256, (3, 4, 16, 20, 3), dtype=np.uint8)
        inputs.append(torch.from_numpy(frames).movedim(-1, 1))
        draws = rng.random((3, UNIFORMS))
        samples.append(ActionDataSample(metainfo=dict(clip_draws=draws, **metainfo)))
    return dict(inputs=inputs, data_samples=samples)


@pytest.mark.parametrize("p_same_video", [0.0, 1.0])
def test_clips_are_those_of_a_worker_that_does_all(video_set: Path, p_same_video: float) -> None:
    """For the same seed, epoch and index; also of flow, and of two videos in a sample."""
    videos = dict(
        type="VideoDataset",
        ann_file=str(video_set / "train.txt"),
        data_prefix=dict(video=str(video_set)),
    )
    appearance = dict(blur_kernel=5, gray_prob=0.4)

    def samples(**options) -> list[dict]:
        pipeline = [
            dict(type="OpenVideo"),
            dict(type="SampleViewFrames", clip_len=4),
            dict(type="DecodeFrames"),
            dict(type="FlowView", source="dis", prob=0.5),
            dict(type="ClipAugment", size=24, **options),
            dict(type="FormatShape", input_format="NCTHW"),
            dict(type="PackActionInputs", meta_keys=("modalities", "clip_draws")),
        ]
        dataset = ClusterAwareDataset(videos, pipeline, p_same_video)
        dataset.store.update(np.zeros(len(dataset), np.int64))
        dataset.store.start_epoch(0, 0)
        return [dataset[i] for i in range(len(dataset))]

    worker = torch.stack([sample["inputs"] for sample in samples(**appearance)])
    drawn = pseudo_collate(samples(on_device=True))
    assert {len(set(sample.modalities)) for sample in drawn["data_samples"]} == {1, 2}
    plain = SLICDataPreprocessor(appearance, format_shape="NCTHW")
    device = plain(drawn, training=True)["inputs"]
    difference = (device - worker).abs().mean(dim=(2, 3, 4, 5))
    assert difference.max() <= 2
    changed = (torch.stack(drawn["inputs"]) - device).abs().mean(dim=(2, 3, 4, 5)) > 2
    assert changed.float().mean() > 0.5


def test_only_training_is_augmented_and_the_loaders_tensors_stay() -> None:
    data = batch([1, 2])
    before = [clips.clone() for clips in data["inputs"]]
    stock = MODELS.build(dict(type="ActionDataPreprocessor", **NORMALISE))
    preprocessor = SLICDataPreprocessor(**NORMALISE)
    plain = stock(data, training=False)["inputs"]
    assert torch.equal(preprocessor(data, training=False)["inputs"], plain)
    ours = preprocessor(data, training=True)["inputs"]
    assert ours.shape == plain.shape == (2, *VIEWS) and ours.dtype == torch.float32
    assert ours.stride() == plain.stride() and not torch.equal(ours, plain)
    assert all(torch.equal(a, b) for a, b in zip(before, data["inputs"]))
    nothing = dict(flip_prob=0, jitter_prob=0, gray_prob=0, blur_prob=0)
    off = SLICDataPreprocessor(augment=nothing, **NORMALISE)(data, training=True)["inputs"]
    assert torch.equal(off, plain)


def test_a_sample_depends_neither_on_its_batch_nor_on_autocast() -> None:
    preprocessor = SLICDataPreprocessor(dict(blur_prob=1), **NORMALISE)
    together = preprocessor(batch([1, 2, 3, 4]), training=True)["inputs"]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        backwards = preprocessor(batch([4, 3]), training=True)["inputs"]
    assert torch.equal(together[2:].flip(0), backwards)


def test_blending_still_works() -> None:
    data = batch([1, 2])
    for label, element in enumerate(data["data_samples"]):
        element.set_gt_label(label)
    blending = dict(type="MixupBlending", num_classes=2)
    torch.manual_seed(0)
    out = SLICDataPreprocessor(blending=blending, **NORMALISE)(data, training=True)
    plain = SLICDataPreprocessor(**NORMALISE)(data, training=True)["inputs"]
    assert out["inputs"].shape == plain.shape and not torch.equal(out["inputs"], plain)
    torch.testing.assert_close(out["inputs"].mean(dim=0), plain.mean(dim=0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data["data_samples"][1].pop("clip_draws"), "has no clip_draws: use that"),
        (lambda data: data["inputs"].__setitem__(0, data["inputs"][0][..., 1:]), "the same size"),
        (lambda data: data["inputs"].__setitem__(0, data["inputs"][0].float()), "uint8"),
    ],
    ids=["no draws", "sizes", "dtype"],
)
def test_a_wrong_batch_is_named(change, message: str) -> None:
    data = batch([1, 2])
    change(data)
    with pytest.raises(ValueError, match=message):
        SLICDataPreprocessor(**NORMALISE)(data, training=True)


def test_wrong_settings_are_named() -> None:
    for options in (dict(format_shape="NCHW"), dict(NORMALISE, to_rgb=True)):
        with pytest.raises(ValueError, match="NCTHW"):
            SLICDataPreprocessor(**options)
    with pytest.raises(TypeError, match="unexpected keyword argument 'rotate'"):
        SLICDataPreprocessor(**NORMALISE, augment=dict(rotate=0.5))
