"""What docs/backbones.md says of training options, on small networks of several families."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from mmengine.dataset import pseudo_collate
from mmengine.optim import OptimWrapper
from torch import nn

from slic_mmaction.datasets import ClusterAwareDataset
from slic_mmaction.models import pool_clips
from slic_mmaction.models.evaluation_mode import evaluation_mode


def bfloat16(enabled: bool = True) -> torch.autocast:
    """Mixed precision as far as a CPU goes: ``AmpOptimWrapper`` refuses to run on one."""
    return torch.autocast("cpu", torch.bfloat16, enabled=enabled)


@pytest.mark.parametrize("family", ["R3D", "Swin", "MobileNetV2"])
def test_mixed_precision_is_near_full_precision(
    recognizer, batch, family: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # oneDNN's bfloat16 convolutions of torch 2.13 write beyond their memory
    # (docs/precision_and_scale.md).
    monkeypatch.setattr(torch.backends.mkldnn, "enabled", False)
    features, gradients = [], []
    for half in (False, True):
        model = recognizer(family)
        inputs = model.data_preprocessor(batch(model), training=True)
        with torch.no_grad(), bfloat16(half):
            assert all(value.isfinite() for value in model(**inputs, mode="loss").values())
        # BatchNorm over so few values makes much of rounding, and so does the choice of negatives.
        model = recognizer(family)
        model.eval()
        with bfloat16(half):
            feats, _ = model.extract_feat(inputs["inputs"], stage="backbone")
            embeddings = model.cls_head(feats)
        features.append(pool_clips(feats, model.cls_head.num_segments))
        embeddings.float().square().mean().backward()
        found = [p.grad for p in model.parameters() if p.grad is not None]
        assert all(gradient.dtype == torch.float32 for gradient in found)
        gradients.append(torch.cat([gradient.flatten() for gradient in found]))
    assert features[1].dtype == torch.bfloat16
    assert torch.cosine_similarity(features[0], features[1].float()).min() > 0.999
    assert torch.cosine_similarity(*gradients, dim=0) > 0.95
    # Embeddings are stored and clustered in full precision.
    with torch.no_grad(), bfloat16():
        samples = model(**inputs, mode="predict")
    assert all(sample.embedding.dtype == torch.float32 for sample in samples)


@pytest.mark.parametrize("family", ["R3D", "TSN"])
def test_a_loss_of_flow_and_rgb(recognizer, video_set: Path, family: str) -> None:
    """Views of optical flow reach networks that see clips and networks that see frames alike."""
    model = recognizer(family)
    in_2d = model.cls_head.num_segments is not None
    prefix = dict(video=str(video_set))
    videos = dict(type="VideoDataset", ann_file=f"{video_set}/train.txt", data_prefix=prefix)
    pipeline = [
        dict(type="OpenVideo"),
        dict(type="SampleViewFrames", clip_len=4),
        dict(type="DecodeFrames"),
        dict(type="FlowView", source="dis", prob=1.0),
        dict(type="ClipAugment", size=32),
        dict(type="FormatShape", input_format="NCHW" if in_2d else "NCTHW"),
        dict(type="PackActionInputs", meta_keys=("modalities",)),
    ]
    dataset = ClusterAwareDataset(videos, pipeline, p_same_video=0.5)
    dataset.store.start_epoch(0, 0)
    data = pseudo_collate([dataset[i] for i in (1, 2, 3)])
    for views, sample in zip(data["inputs"], data["data_samples"]):
        clips = views.unflatten(0, (3, -1)).transpose(1, 2) if in_2d else views
        # One value in all channels is flow: of the three views all but the anchor.
        flow = [bool((clip == clip[:1]).all()) for clip in clips]
        assert flow[1:] == [name == "flow" for name in sample.modalities][1:] == [True, True]
        assert sample.modalities[0] == "rgb"
    losses = model(**model.data_preprocessor(data, training=True), mode="loss")
    (losses["loss_triplet"] + losses["loss_temporal"]).backward()
    stem = next(p for p in model.backbone.parameters() if p.ndim > 3)
    assert stem.grad.any() and torch.isfinite(stem.grad).all()


# The names that a class freezes with ``frozen_stages=1``.
FROZEN = {
    "R3D": ("conv1.", "layer1."),
    "Swin": ("patch_embed.", "layers.0."),
    "X3D": ("conv1_s.", "conv1_t.", "layer1."),
    "TSN": ("conv1.", "layer1."),
    "MobileNetV2": ("conv1.", "layer1."),
}


@pytest.mark.parametrize("family", FROZEN)
def test_frozen_stages_stay_in_training_and_clustering(recognizer, batch, family: str) -> None:
    model = recognizer(family, frozen_stages=1)
    frozen = tuple(f"backbone.{name}" for name in FROZEN[family])
    modes = {name: module.training for name, module in model.named_modules()}
    norms = [n for n in modes if n.startswith(frozen) and ("norm" in n or "bn" in n)]
    before = {name: value.clone() for name, value in model.state_dict().items()}

    # What the embedding pass of PseudoLabelHook does around its forward passes.
    with evaluation_mode(model), torch.no_grad():
        assert not any(module.training for module in model.modules())
        model(**model.data_preprocessor(batch(model)), mode="predict")
    assert {name: module.training for name, module in model.named_modules()} == modes
    assert norms and not any(modes[name] for name in norms)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())

    trained = [p for p in model.parameters() if p.requires_grad]
    model.train_step(batch(model), OptimWrapper(torch.optim.SGD(trained, lr=1.0)))
    moved = {n for n, value in model.state_dict().items() if not torch.equal(value, before[n])}
    assert not [name for name in moved if name.startswith(frozen)]
    rest = {n for n, p in model.named_parameters() if p.requires_grad and p.ndim > 1}
    assert len(moved & rest) > 0.9 * len(rest)
    assert not [name for name in rest if name.startswith(frozen)]


def after_backward(model: nn.Module, data: dict[str, Any]) -> nn.Module:
    torch.manual_seed(2)  # for stochastic depth
    losses = model(**model.data_preprocessor(data, training=True), mode="loss")
    (losses["loss_triplet"] + losses["loss_temporal"]).backward()
    return model


# torch recommends another kind of checkpoint than the one that MMAction2's classes ask for.
