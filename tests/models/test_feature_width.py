from __future__ import annotations

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope
from torch import Tensor, nn

from slic_mmaction.models import SLICHead

HEAD = dict(type="SLICHead", in_channels="auto", losses=[], hidden_channels=10, out_channels=4)


def recognizer(kind: str, backbone: dict, head: dict = HEAD) -> nn.Module:
    init_default_scope("mmaction")
    return MODELS.build(dict(type=kind, backbone=backbone, cls_head=head))


@MODELS.register_module()
class OnlyOneSize(nn.Module):
    """Takes 8 frames of 224 pixels, counts its calls, draws and normalises."""

    def __init__(self, width: int = 5) -> None:
        super().__init__()
        self.conv = nn.Conv3d(3, width, 1)
        self.norm = nn.BatchNorm3d(width)
        self.dropout = nn.Dropout3d()
        self.frozen = nn.BatchNorm3d(width).eval()

    def forward(self, clips: Tensor) -> Tensor:
        assert clips.shape[2:] == (8, 224, 224), "wrong size"
        return self.dropout(self.norm(self.conv(clips[..., ::32, ::32])))

    def init_weights(self) -> None:
        """Nothing to initialise."""


@MODELS.register_module()
class TakesNothing(OnlyOneSize):
    def forward(self, clips: Tensor) -> Tensor:
        raise RuntimeError(f"no {clips.ndim}-dimensional clips")


def test_the_width_is_found_without_a_trace() -> None:
    torch.manual_seed(3)
    auto = recognizer("Recognizer3D", dict(type="OnlyOneSize"))
    after = torch.rand(1)
    torch.manual_seed(3)
    given = recognizer("Recognizer3D", dict(type="OnlyOneSize"), dict(HEAD, in_channels=5))
    assert torch.equal(after, torch.rand(1))
    assert auto.cls_head.in_channels == 5
    for (name, ours), (_, theirs) in zip(auto.state_dict().items(), given.state_dict().items()):
        assert torch.equal(ours, theirs), name
    assert auto.backbone.norm.num_batches_tracked == 0
    assert auto.backbone.norm.training and not auto.backbone.frozen.training


def test_frames_of_a_2d_network_are_one_clip() -> None:
    backbone = dict(type="ResNetTSM", depth=18, num_segments=4, pretrained=None, pretrained2d=False)
    model = recognizer("Recognizer2D", backbone, dict(HEAD, num_segments=4))
    assert model.cls_head.in_channels == 512
    assert model.cls_head(model.backbone(torch.zeros(2 * 4, 3, 32, 32))).shape == (2, 4)


def test_a_backbone_that_takes_nothing_gets_a_sentence() -> None:
    with pytest.raises(ValueError, match=r"no clip that TakesNothing takes.*RuntimeError: no 5-d"):
        recognizer("Recognizer3D", dict(type="TakesNothing"))


def test_alone_the_head_says_what_it_lacks() -> None:
    head = SLICHead("auto", [])
    nn.Sequential(head)  # No recognizer: it has no backbone.
    with pytest.raises(ValueError, match="alone it needs a number"):
        head(torch.zeros(2, 5))
