from __future__ import annotations

import numpy as np
import pytest
import torch

from slic_mmaction.evaluation import PROTOCOLS, SeenAs, get_protocol


def test_protocols_differ_in_what_they_say() -> None:
    assert set(PROTOCOLS) == {"iic", "coclr", "center"}
    assert [PROTOCOLS[n].num_clips for n in ("iic", "coclr", "center")] == [10, None, 1]
    assert [PROTOCOLS[n].feature for n in ("iic", "coclr")] == ["projection", "backbone"]


def test_only_coclr_centres() -> None:
    rows = np.array([[1.0, 2], [3, 6]], dtype=np.float32)
    assert torch.equal(get_protocol("iic").prepared(rows), torch.from_numpy(rows))
    assert get_protocol("coclr").prepared(rows).tolist() == [[-1, -2], [1, 2]]


def test_results_say_what_departs_from_the_protocol() -> None:
    assert get_protocol("iic, 4 clips").name == "iic"
    assert SeenAs("iic", "projection", (128, 128)).name == "iic"
    assert SeenAs("coclr", "backbone").name == "coclr"
    seen = SeenAs("iic, 4 clips", "backbone", (56, 56))
    assert seen.name == "iic, 4 clips, backbone feature, 56px"
    assert seen.slug == "iic_4-clips_backbone-feature_56px"
    assert seen.clips == "iic, 4 clips, 56px" and seen.rule is PROTOCOLS["iic"]
    assert SeenAs("center", "projection", (128, 171)).name == "center, 171x128px"
    with pytest.raises(ValueError, match="Unknown retrieval protocol 'top'"):
        get_protocol("top, 3 clips")
