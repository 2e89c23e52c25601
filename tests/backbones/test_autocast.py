"""Mixed precision as far as a CPU goes: bfloat16 by torch's autocast.

``AmpOptimWrapper``, which ``--amp`` sets, refuses to run without an accelerator. oneDNN is off:
its bfloat16 convolutions of torch 2.13 go astray in memory (docs/precision_and_scale.md).
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from slic_mmaction.models import pool_clips


@pytest.fixture(autouse=True)
def without_onednn() -> Iterator[None]:
    with torch.backends.mkldnn.flags(enabled=False):
        yield


def bfloat16() -> torch.autocast:
    return torch.autocast("cpu", torch.bfloat16)


@pytest.mark.parametrize("family", ["R3D", "SlowOnly", "Swin", "X3D", "MobileNetV2"])
def test_features_are_near_those_of_full_precision(recognizer, batch, family: str) -> None:
    model = recognizer(family)
    inputs = model.data_preprocessor(batch(model), training=True)
    with torch.no_grad():
        with bfloat16():
            losses = model(**inputs, mode="loss")
        assert all(value.isfinite() for value in losses.values())
        model.eval()
        full, _ = model.extract_feat(inputs["inputs"], stage="backbone")
        with bfloat16():
            half, _ = model.extract_feat(inputs["inputs"], stage="backbone")
    assert half.dtype == torch.bfloat16
    full, half = (pool_clips(feats, model.cls_head.num_segments) for feats in (full, half))
    assert torch.cosine_similarity(full, half.float()).min() > 0.999


@pytest.mark.parametrize("family", ["R3D", "Swin", "MobileNetV2"])
def test_gradients_are_near_those_of_full_precision(recognizer, batch, family: str) -> None:
    gradients = []
    for enabled in (False, True):
        model = recognizer(family)
        inputs = model.data_preprocessor(batch(model), training=True)
        # BatchNorm over so few values makes much of rounding, and so does the choice of negatives.
        model.eval()
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            feats, _ = model.extract_feat(inputs["inputs"], stage="backbone")
            embeddings = model.cls_head(feats)
        embeddings.float().square().mean().backward()
        found = [p.grad for p in model.parameters() if p.grad is not None]
        assert all(gradient.dtype == torch.float32 for gradient in found)
        gradients.append(torch.cat([gradient.flatten() for gradient in found]))
    assert torch.cosine_similarity(*gradients, dim=0) > 0.95


def test_embeddings_are_full_precision(recognizer, batch) -> None:
    model = recognizer("R3D")
    with torch.no_grad(), bfloat16():
        samples = model(**model.data_preprocessor(batch(model)), mode="predict")
    assert all(sample.embedding.dtype == torch.float32 for sample in samples)
