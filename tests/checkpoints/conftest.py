"""The authors' slim R3D-18 with its recorded outputs, and torchvision's network by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from torch import Tensor, nn

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="session")
def golden() -> dict[str, Tensor]:
    """The record of the authors' network at an eighth of its width, its weights under weights/."""
    with np.load(ROOT / "tests" / "data" / "r3d18_slim.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


@pytest.fixture
def authors_checkpoint(golden) -> dict[str, Any]:
    """As the authors' code saves it."""
    weights = {
        f"module.{name[len('weights/') :]}": tensor
        for name, tensor in golden.items()
        if name.startswith("weights/")
    }
    return {"epoch": 31, "state_dict": weights, "best_prec1": 0.25, "optimizer": {"lr": 0.1}}


@pytest.fixture
def build() -> Callable[..., nn.Module]:
    """Build our slim R3D-18 in evaluation mode; keyword arguments go to the backbone."""

    def make(cls_head: dict | None = None, **backbone: Any) -> nn.Module:
        init_default_scope("mmaction")
        name = "slic_r3d18.py" if cls_head is None else "r3d18_classifier.py"
        cfg = Config.fromfile(ROOT / "configs" / "_base_" / "models" / name).model
        cfg.backbone.update(base_channels=8, **backbone)
        sizes = dict(hidden_channels=128, out_channels=32) if cls_head is None else cls_head
        cfg.cls_head.update(in_channels=64, **sizes)
        return MODELS.build(cfg).eval()

    return make


@pytest.fixture
def torchvision_weights() -> dict[str, Tensor]:
    """Random weights with the names and shapes of torchvision's r3d_18, 8 channels wide."""
    generator = torch.Generator().manual_seed(0)
    state: dict[str, Tensor] = {}

    def convolution(name: str, norm: str, out: int, channels: int, *kernel: int) -> None:
        shape = (out, channels, *kernel)
        state[f"{name}.weight"] = 0.1 * torch.randn(shape, generator=generator)
        for part, low in (("weight", 0.5), ("bias", -0.5), ("running_mean", -0.5)):
            state[f"{norm}.{part}"] = low + torch.rand(out, generator=generator)
        state[f"{norm}.running_var"] = 0.5 + torch.rand(out, generator=generator)
        state[f"{norm}.num_batches_tracked"] = torch.tensor(7)

    convolution("stem.0", "stem.1", 8, 3, 3, 7, 7)
    channels = 8
    for stage, out in enumerate((8, 16, 32, 64), start=1):
        for block in range(2):
            name = f"layer{stage}.{block}"
            convolution(f"{name}.conv1.0", f"{name}.conv1.1", out, channels, 3, 3, 3)
            convolution(f"{name}.conv2.0", f"{name}.conv2.1", out, out, 3, 3, 3)
            if channels != out:
                down = f"{name}.downsample"
                convolution(f"{down}.0", f"{down}.1", out, channels, 1, 1, 1)
            channels = out
    state["fc.weight"] = torch.randn((5, 64), generator=generator)
    state["fc.bias"] = torch.randn(5, generator=generator)
    return state


@pytest.fixture
def torchvision_forward() -> Callable[[dict[str, Tensor], Tensor], Tensor]:
    """Logits of torchvision's r3d_18 in evaluation mode, from its definition alone."""

    def forward(state: dict[str, Tensor], clips: Tensor) -> Tensor:
        def conv(x: Tensor, name: str, norm: str, stride: Any, padding: Any) -> Tensor:
            y = F.conv3d(x, state[f"{name}.weight"], stride=stride, padding=padding)
            mean, var = state[f"{norm}.running_mean"], state[f"{norm}.running_var"]
            return F.batch_norm(y, mean, var, state[f"{norm}.weight"], state[f"{norm}.bias"])

        x = F.relu(conv(clips, "stem.0", "stem.1", (1, 2, 2), (1, 3, 3)))
        for stage in range(1, 5):
            for block in range(2):
                name = f"layer{stage}.{block}"
                stride = 2 if stage > 1 and block == 0 else 1
                y = F.relu(conv(x, f"{name}.conv1.0", f"{name}.conv1.1", stride, 1))
                y = conv(y, f"{name}.conv2.0", f"{name}.conv2.1", 1, 1)
                if stride == 2:
                    x = conv(x, f"{name}.downsample.0", f"{name}.downsample.1", stride, 0)
                x = F.relu(x + y)
        return F.linear(x.mean(dim=(2, 3, 4)), state["fc.weight"], state["fc.bias"])

    return forward
