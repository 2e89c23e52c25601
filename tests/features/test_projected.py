from __future__ import annotations

import numpy as np
import pytest
import torch

from slic_mmaction.features import projected
from slic_mmaction.features.projected import ProjectedClips


@pytest.mark.parametrize("block", [1, 2, 5, 4096])
def test_is_the_head_of_every_clip(model, stored, monkeypatch, block: int) -> None:
    monkeypatch.setattr(projected, "_BLOCK", block)
    head = model.cls_head.eval()
    rng = np.random.default_rng(0)
    rows = [rng.normal(size=(count, 32)) for count in (2, 1, 3, 1, 2)]
    embeddings = ProjectedClips(stored(rows, [3, 0, 4, 1, 2]), head)
    with torch.no_grad():
        expected = [head(torch.from_numpy(own).float()) for own in rows]
    clips, begins = embeddings.clips()
    assert begins.tolist() == [0, 2, 3, 6, 7, 9] and not clips.requires_grad
    torch.testing.assert_close(clips, torch.cat(expected), atol=1e-5, rtol=1e-4)
    means = torch.stack([own.mean(0) for own in expected])
    torch.testing.assert_close(embeddings.means(), means, atol=1e-5, rtol=1e-4)
