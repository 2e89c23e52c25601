"""The paper's full recipe differs from the RGB one by the flow view alone."""

from __future__ import annotations

from pathlib import Path

from mmengine.config import Config
from mmengine.dataset import Compose
from mmengine.registry import init_default_scope

CONFIGS = Path(__file__).parents[2] / "configs"


def test_flow_recipe_adds_the_flow_view_right_after_decoding() -> None:
    init_default_scope("mmaction")
    flow, rgb = (Config.fromfile(CONFIGS / f"slic_r3d_ucf101{n}.py") for n in ("_flow", ""))
    pipeline = [dict(step) for step in flow.train_dataloader.dataset.pipeline]
    at = [step["type"] for step in pipeline].index("FlowView")
    assert "Decode" in pipeline[at - 1]["type"] and pipeline[at + 1]["type"] == "ClipAugment"
    view = pipeline.pop(at)
    assert view == dict(
        type="FlowView",
        source="files",
        root="data/ucf101/flow",
        video_root=rgb.train_dataloader.dataset.dataset.data_prefix.video,
        prob=0.25,
    )
    assert len(Compose(flow.train_dataloader.dataset.pipeline).transforms) == len(pipeline) + 1
    flow.train_dataloader.dataset.pipeline = rgb.train_dataloader.dataset.pipeline
    for key in ("flow_view", "train_pipeline"):
        flow.pop(key)
        rgb.pop(key, None)
    assert flow.to_dict() == rgb.to_dict()
