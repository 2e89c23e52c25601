from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import MODELS
from torch import Tensor, nn

from slic_mmaction.models import SLICHead, pool_clips

sizes = st.integers(1, 4)


@settings(deadline=None, max_examples=30)
@given(n=sizes, c=sizes, t=sizes, h=sizes, w=sizes)
def test_each_entry_is_a_mean_over_its_own_clip(n: int, c: int, t: int, h: int, w: int) -> None:
    volume = torch.randn(n, c, t, h, w)
    pooled = pool_clips(volume)
    assert pooled.shape == (n, c)
    for clip in range(n):
        for channel in range(c):
            expected = sum(volume[clip, channel].flatten().tolist()) / (t * h * w)
            assert pooled[clip, channel].item() == pytest.approx(expected, abs=1e-5)
    # The same numbers as single frames, time in the batch dimension.
    frames = volume.transpose(1, 2).flatten(0, 1)
    torch.testing.assert_close(pool_clips(frames, num_segments=t), pooled)
    torch.testing.assert_close(pool_clips(frames.mean((2, 3)), num_segments=t), pooled)
    # And as tokens.
    tokens = volume.flatten(2).transpose(1, 2)
    torch.testing.assert_close(pool_clips(tokens), pooled)


def test_stages_and_tokens() -> None:
    rows = torch.randn(3, 7)
    assert pool_clips(rows) is rows
    slow, fast = torch.randn(3, 5, 2, 4, 4), torch.randn(3, 2, 8, 4, 4)
    expected = torch.cat([slow.mean((2, 3, 4)), fast.mean((2, 3, 4))], dim=1)
    torch.testing.assert_close(pool_clips((slow, fast)), expected)
    # MViT is read as its own head reads it.
    stages = ([slow, torch.randn(3, 5)], [fast, torch.randn(3, 2)])
    assert pool_clips(stages) is stages[1][1]
    torch.testing.assert_close(pool_clips(([fast],)), fast.mean((2, 3, 4)))


@pytest.mark.parametrize(
    ("features", "num_segments", "message"),
    [
        (torch.zeros(3), None, r"returned a tensor of shape \(3,\)"),
        ([{"a": 1}], None, r"the backbone returned a dict"),
        (None, None, "returned a NoneType"),
        ([], None, r"a list of \(\)"),
        (torch.zeros(8, 3, 2, 2), None, r"\(8, 3, 2, 2\), one row for each frame.*num_segments"),
        (torch.zeros(2, 3, 4, 2, 2), 4, r"one row for each clip, but cls_head.num_segments=4"),
        (torch.zeros(8, 3, 2, 2), 3, r"num_segments=3 does not divide the 8 frames"),
    ],
)
def test_what_cannot_be_read_is_described(features, num_segments, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        pool_clips(features, num_segments)


HEAD = dict(type="SLICHead", in_channels="auto", losses=[], hidden_channels=10, out_channels=4)


def recognizer(kind: str, backbone: dict, head: dict = HEAD) -> nn.Module:
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
    with pytest.raises(ValueError, match=r"TakesNothing accepts.*RuntimeError: no 5-d"):
        recognizer("Recognizer3D", dict(type="TakesNothing"))


def test_alone_the_head_says_what_it_lacks() -> None:
    head = SLICHead("auto", [])
    nn.Sequential(head)  # No recognizer: it has no backbone.
    with pytest.raises(ValueError, match="alone it needs a number"):
        head(torch.zeros(2, 5))
