"""``sync_bn='torch'`` of the runner reaches every network; CPU ranks: tests/compat."""

from __future__ import annotations

import pytest
import torch
from mmengine.model import convert_sync_batchnorm
from torch import nn


@pytest.mark.parametrize("family", ["R3D", "SlowOnly", "X3D", "TSN", "MobileNetV2"])
def test_every_batch_norm_is_converted_and_keeps_its_values(recognizer, batch, family: str) -> None:
    plain = recognizer(family)
    synced = convert_sync_batchnorm(recognizer(family), "torch")
    kinds = (nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)
    norms = [name for name, module in plain.named_modules() if isinstance(module, kinds)]
    assert "cls_head.projection.1" in norms and len(norms) > 10
    for name in norms:
        assert isinstance(synced.get_submodule(name), nn.SyncBatchNorm), name
    embeddings = []
    for model in (plain, synced):
        model.eval()
        with torch.no_grad():
            samples = model(**model.data_preprocessor(batch(model)), mode="predict")
        embeddings.append(torch.stack([sample.embedding for sample in samples]))
    torch.testing.assert_close(*embeddings)
