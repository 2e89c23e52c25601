"""The package that a backbone needs beyond what this one requires."""

from __future__ import annotations

from importlib.util import find_spec

import torch

# What a type begins with, the module to look for, and its package as users call it.
_NEEDS = (
    ("timm.", "timm", "timm"),
    ("torchvision.", "torchvision", "torchvision"),
    ("mmpretrain.", "mmpretrain", "mmpretrain"),
    ("MobileOneTSM", "mmpretrain", "mmpretrain"),
)


def missing_package(backbone: str) -> str | None:
    """Name what a backbone needs to run and this machine lacks.

    Args:
        backbone (str): ``model.backbone.type`` of a config.

    Returns:
        str | None: None if there is nothing to install.
    """
    # Its temporal interlacing is a compiled operation, which mmcv-lite lacks, and only for GPUs.
    if backbone == "ResNetTIN" and not (find_spec("mmcv._ext") and torch.cuda.is_available()):
        return "full mmcv and a GPU"
    for prefix, module, package in _NEEDS:
        if backbone.startswith(prefix) and find_spec(module) is None:
            return package
    return None
