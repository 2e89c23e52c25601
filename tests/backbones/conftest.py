"""Small networks of different families under SLIC's head, and a batch for them."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.registry import init_default_scope
from torch import nn

import slic_mmaction  # noqa: F401  (registers the head, and mends MMAction2 before it is imported)

VIEWS, SIDE, FRAMES = 3, 32, 4
LABELS = (0, 0, 1, 2)
LOSSES = ("PseudoLabelTripletLoss", "TemporalDiscriminationLoss")
SCRATCH = dict(pretrained=None, pretrained2d=False)
BACKBONES: dict[str, dict[str, Any]] = {
    "R3D": dict(type="ResNet3d", depth=18, base_channels=4, conv1_stride_t=1, **SCRATCH),
    "Swin": dict(
        type="SwinTransformer3D",
        arch=dict(embed_dims=12, depths=[2, 2, 2, 2], num_heads=[1, 1, 2, 2]),
        window_size=(4, 4, 4),
        **SCRATCH,
    ),
    "VideoMAE": dict(
        **dict(type="VisionTransformer", img_size=32, num_frames=4, patch_size=16),
        **dict(embed_dims=24, depth=2, num_heads=2, mlp_ratio=2),
    ),
    "X3D": dict(type="X3D", gamma_w=0.2, gamma_d=0.5),
    "TSN": dict(type="ResNet", depth=18, pretrained=None, norm_eval=False),
    "MobileNetV2": dict(type="MobileNetV2", widen_factor=0.25),
}
IN_2D = ("TSN", "MobileNetV2")
# It takes clips of its own size only, which is none of those that 'auto' tries.
WIDTHS = {"VideoMAE": 24}


@pytest.fixture(scope="session")
def analysis() -> Iterator[Callable[[str], ModuleType]]:
    """Import a module of tools/dev, as its scripts do."""
    sys.path.insert(0, str(Path(__file__).parents[2] / "tools" / "dev"))
    yield importlib.import_module
    sys.path.pop(0)


@pytest.fixture
def recognizer() -> Callable[..., nn.Module]:
    """Make a recognizer of a family; keyword arguments are the backbone's."""

    def make(family: str, **options: Any) -> nn.Module:
        init_default_scope("mmaction")
        torch.manual_seed(0)
        flat = family in IN_2D
        model = MODELS.build(
            dict(
                type="Recognizer2D" if flat else "Recognizer3D",
                backbone=dict(BACKBONES[family], **options),
                cls_head=dict(
                    type="SLICHead",
                    in_channels=WIDTHS.get(family, "auto"),
                    hidden_channels=16,
                    out_channels=8,
                    num_segments=FRAMES if flat else None,
                    losses=[dict(type=name) for name in LOSSES],
                ),
                data_preprocessor=dict(
                    type="ActionDataPreprocessor",
                    mean=[128.0],
                    std=[64.0],
                    format_shape="NCHW" if flat else "NCTHW",
                ),
            )
        )
        model.train()
        return model

    return make


@pytest.fixture
def batch() -> Callable[[nn.Module], dict[str, Any]]:
    """Make what a loader yields for a recognizer: videos of three views each."""

    def make(model: nn.Module) -> dict[str, Any]:
        torch.manual_seed(1)
        shape = (len(LABELS), VIEWS, 3, FRAMES, SIDE, SIDE)
        clips = torch.randint(256, shape, dtype=torch.uint8)
        if model.cls_head.num_segments is not None:
            clips = clips.transpose(2, 3).flatten(1, 2)
        samples = []
        for label in LABELS:
            sample = ActionDataSample(metainfo=dict(draw_seed=1))
            sample.pseudo_label = torch.tensor([label])
            sample.video_indices = torch.arange(VIEWS)
            samples.append(sample)
        return dict(inputs=list(clips), data_samples=samples)

    return make
