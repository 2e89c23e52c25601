from __future__ import annotations

import importlib.util

import pytest

from slic_mmaction.backbones import required


@pytest.mark.parametrize(
    ("backbone", "package"),
    [
        ("ResNet3d", None),
        ("ResNetTSM", None),
        ("timm.swin_base_patch4_window7_224", "timm"),
        ("torchvision.densenet161", "torchvision"),
        ("mmpretrain.ResNeXt", "mmpretrain"),
        ("MobileOneTSM", "mmpretrain"),
        ("ResNetTIN", "full mmcv and a GPU"),
    ],
)
def test_what_a_bare_installation_lacks(
    monkeypatch: pytest.MonkeyPatch, backbone: str, package: str | None
) -> None:
    monkeypatch.setattr(required, "find_spec", lambda name: None)
    assert required.missing_package(backbone) == package
    monkeypatch.setattr(required, "find_spec", lambda name: importlib.util.find_spec("json"))
    monkeypatch.setattr(required.torch.cuda, "is_available", lambda: True)
    assert required.missing_package(backbone) is None
