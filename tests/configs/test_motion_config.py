"""The recipes with motion differ from those without by what is clustered alone."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.mark.parametrize("name", ["slic_r3d_ucf101", "slic_r3d_slim_ucf101"])
def test_only_the_clustering_changes(name: str) -> None:
    motion, rgb = (Config.fromfile(CONFIGS / f"{name}{end}.py") for end in ("_motion", ""))
    hook, other = motion.custom_hooks[-1], rgb.custom_hooks[-1]
    assert hook.pop("descriptors") == "data/ucf101/motion.npz"
    assert hook.pipeline == []
    assert hook.clusterer == dict(type="FINCH", num_clusters=round(0.0875 * 9537))
    hook.clusterer, hook.pipeline = other.clusterer, other.pipeline
    assert motion.to_dict() == rgb.to_dict()
