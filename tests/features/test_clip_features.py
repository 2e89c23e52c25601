from __future__ import annotations

import pytest
import torch
from mmaction.models import I3DHead
from mmengine.dataset import pseudo_collate

from slic_mmaction.features import clip_features
from slic_mmaction.features.clip_features import check_layer


@pytest.fixture
def batch(dataset) -> dict:
    return pseudo_collate([dataset[i] for i in range(4)])


@pytest.mark.parametrize("layer", ["projection", "backbone"])
def test_the_mean_over_clips_is_what_the_head_predicts(model, dataset, layer: str) -> None:
    model.eval()
    model.cls_head.feature = layer
    batch = pseudo_collate([dataset[i] for i in range(3)])
    batch["inputs"] = [torch.cat([clips, clips.flip(-1)]) for clips in batch["inputs"]]
    with torch.no_grad():
        predicted = model.test_step(dict(batch))
    for rows, sample in zip(clip_features(model, batch, layer, 64), predicted):
        assert rows.shape[0] == 2 and rows.dtype == torch.float32
        torch.testing.assert_close(rows.mean(0), sample.embedding)


@pytest.mark.parametrize("clips_per_pass", [1, 2, 3, 100])
def test_any_number_of_clips_in_any_passes(model, batch, clips_per_pass: int) -> None:
    """Videos of 1, 2, 3 and 4 clips."""
    model.eval()
    batch["inputs"] = [
        torch.cat([clips.roll(k, dims=-1) for k in range(i + 1)])
        for i, clips in enumerate(batch["inputs"])
    ]
    found = clip_features(model, batch, "projection", clips_per_pass)
    for i, rows in enumerate(found):
        assert len(rows) == i + 1
        for k in range(i + 1):
            single = dict(batch, inputs=[batch["inputs"][i][k : k + 1]])
            alone = clip_features(model, single, "projection", 100)[0]
            torch.testing.assert_close(rows[k], alone[0], atol=1e-5, rtol=1e-4)


def test_layers_are_checked(model) -> None:
    check_layer(model, "projection")
    with pytest.raises(ValueError, match="one of projection, backbone, but got 'neck'"):
        check_layer(model, "neck")
    model.cls_head = I3DHead(num_classes=3, in_channels=32)
    check_layer(model, "backbone")
    with pytest.raises(ValueError, match="I3DHead, which has no projection"):
        check_layer(model, "projection")
