"""Conversions are judged by what the network computes, not by names."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from torch import Tensor, nn
from torch.nn import functional as F

from slic_mmaction.checkpoints.convert import check_r3d18, convert_checkpoint
from slic_mmaction.checkpoints.key_maps import convert_keys, detect_format
from slic_mmaction.models import pool_clips

ROOT = Path(__file__).parents[2]
State = dict[str, Tensor]


@pytest.fixture(scope="module")
def golden() -> State:
    """The record of the authors' network at an eighth of its width, its weights under weights/."""
    with np.load(ROOT / "tests" / "data" / "r3d18_slim.npz") as arrays:
        return {name: torch.from_numpy(arrays[name]) for name in arrays.files}


@pytest.fixture
def authors(golden) -> dict[str, Any]:
    """A checkpoint as the authors' code saves it."""
    names = [name for name in golden if name.startswith("weights/")]
    weights = {name.replace("weights/", "module."): golden[name] for name in names}
    return {"epoch": 31, "state_dict": weights, "best_prec1": 0.25, "optimizer": {"lr": 0.1}}


def slim(name: str = "slic_r3d18.py", **head: int) -> Config:
    """Our R3D-18 of the authors' record's width."""
    cfg = Config.fromfile(ROOT / "configs" / "_base_" / "models" / name).model
    cfg.backbone.base_channels = 8
    cfg.cls_head.update(in_channels=64, **head)
    return cfg


def same(first: State, second: State) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def test_the_authors_weights_give_the_authors_embeddings_and_go_back(golden, authors) -> None:
    checkpoint, renamed = convert_checkpoint(authors, "mmaction")
    model = MODELS.build(slim(hidden_channels=128, out_channels=32)).eval()
    model.load_state_dict(checkpoint["state_dict"], strict=True)
    with torch.no_grad():
        features = model.backbone(golden["input"])
        torch.testing.assert_close(pool_clips(features), golden["pooled_eval"])
        torch.testing.assert_close(model.cls_head(features), golden["embedding_eval"])
    assert len(renamed) == len(authors["state_dict"]) == 129
    assert checkpoint["meta"] == dict(epoch=31, best_prec1=0.25, converted_from="authors")
    back, _ = convert_checkpoint(checkpoint, "authors")
    assert same(back["state_dict"], authors["state_dict"])
    assert set(back) == {"epoch", "best_prec1", "state_dict"}
    assert (back["epoch"], back["best_prec1"]) == (31, 0.25)


def torchvision_network() -> nn.Module:
    cfg = slim("r3d18_classifier.py", num_classes=5)
    cfg.backbone.conv1_kernel = (3, 7, 7)
    return MODELS.build(cfg).eval()


@pytest.fixture
def torchvision() -> State:
    """Random weights of torchvision's r3d_18, 8 channels wide."""
    generator = torch.Generator().manual_seed(0)
    state = convert_keys(torchvision_network().state_dict(), "mmaction", "torchvision")[0]
    for name, value in state.items():
        if value.ndim == 1:  # of a norm; a new one computes as if it were not there
            value.copy_(0.5 + torch.rand(value.shape, generator=generator))
        assert name.startswith(("stem", "layer", "fc"))
    return state


def torchvision_logits(state: State, clips: Tensor) -> Tensor:
    """Of torchvision's r3d_18 in evaluation mode, from its definition alone."""

    def conv(x: Tensor, block: str, number: int, stride: Any, padding: Any) -> Tensor:
        weight, norm = state[f"{block}.{number}.weight"], f"{block}.{number + 1}"
        y = F.conv3d(x, weight, stride=stride, padding=padding)
        of = [state[f"{norm}.{p}"] for p in ("running_mean", "running_var", "weight", "bias")]
        return F.batch_norm(y, *of)

    x = F.relu(conv(clips, "stem", 0, (1, 2, 2), (1, 3, 3)))
    for stage in range(1, 5):
        for block in (f"layer{stage}.{b}" for b in range(2)):
            stride = 2 if stage > 1 and block.endswith("0") else 1
            y = F.relu(conv(x, f"{block}.conv1", 0, stride, 1))
            y = conv(y, f"{block}.conv2", 0, 1, 1)
            x = F.relu((conv(x, f"{block}.downsample", 0, stride, 0) if stride == 2 else x) + y)
    return F.linear(x.mean(dim=(2, 3, 4)), state["fc.weight"], state["fc.bias"])


def test_torchvisions_weights_give_torchvisions_logits(torchvision) -> None:
    checkpoint, _ = convert_checkpoint(torchvision, "mmaction")
    model = torchvision_network()
    model.load_state_dict(checkpoint["state_dict"], strict=True)
    clips = torch.randn(2, 3, 8, 24, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits = model.cls_head(model.backbone(clips))
    torch.testing.assert_close(logits, torchvision_logits(torchvision, clips))
    back, _ = convert_keys(checkpoint["state_dict"], "mmaction", "torchvision")
    assert same(back, torchvision)
    check_r3d18(back, width=8)


def test_what_torchvision_has_no_room_for(authors, torchvision) -> None:
    with pytest.raises(ValueError, match=r"stem\.0\.weight has .* but \(64, 3, 3, 7, 7\) in"):
        convert_checkpoint(authors, "torchvision", backbone_only=True)
    with pytest.raises(ValueError, match=r"9 of 129 .*bn_proj\.bias.*--backbone-only"):
        convert_checkpoint(authors, "torchvision")
    deeper = {**torchvision, "layer1.2.conv1.0.weight": torchvision["layer1.1.conv1.0.weight"]}
    with pytest.raises(ValueError, match=r"layer1\.2\.conv1\.0\.weight has .* none in torchvision"):
        check_r3d18(deeper, width=8)
    del torchvision["layer3.0.downsample.0.weight"]
    with pytest.raises(ValueError, match=r"layer3\.0\.downsample\.0\.weight has the shape none in"):
        check_r3d18(torchvision, width=8)


WIDTH, DEPTH, HEADS, PATCH = 16, 2, 2, 8


@pytest.fixture
def videomae() -> State:
    """Names and shapes of MCG-NJU/VideoMAE's PretrainVisionTransformer, random values."""
    shapes: dict[str, tuple[int, ...]] = {
        "mask_token": (1, 1, 8),
        "encoder_to_decoder.weight": (8, WIDTH),
        "encoder.patch_embed.proj.weight": (WIDTH, 3, 2, PATCH, PATCH),
        "encoder.patch_embed.proj.bias": (WIDTH,),
        "encoder.norm.weight": (WIDTH,),
        "encoder.norm.bias": (WIDTH,),
    }
    for part, c, depth in (("encoder", WIDTH, DEPTH), ("decoder", 8, 1)):
        for block in (f"{part}.blocks.{i}" for i in range(depth)):
            vectors = ("norm1.weight", "norm1.bias", "norm2.weight", "norm2.bias")
            vectors += ("attn.q_bias", "attn.v_bias", "attn.proj.bias", "mlp.fc2.bias")
            shapes.update({f"{block}.{name}": (c,) for name in vectors})
            shapes[f"{block}.attn.qkv.weight"] = (3 * c, c)
            shapes[f"{block}.attn.proj.weight"] = (c, c)
            shapes[f"{block}.mlp.fc1.weight"] = (4 * c, c)
            shapes[f"{block}.mlp.fc1.bias"] = (4 * c,)
            shapes[f"{block}.mlp.fc2.weight"] = (c, 4 * c)
    generator = torch.Generator().manual_seed(0)
    return {name: 0.3 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def encode(state: State, tokens: Tensor) -> Tensor:
    """The blocks of an encoder as VideoMAE's paper has them, on (N, L, C) tokens."""
    for start in (f"encoder.blocks.{i}." for i in range(DEPTH)):
        of = {name[len(start) :]: value for name, value in state.items() if name.startswith(start)}
        x = F.layer_norm(tokens, (WIDTH,), of["norm1.weight"], of["norm1.bias"], 1e-6)
        bias = torch.cat([of["attn.q_bias"], torch.zeros(WIDTH), of["attn.v_bias"]])
        q, k, v = F.linear(x, of["attn.qkv.weight"], bias).chunk(3, dim=-1)
        q, k, v = (t.unflatten(-1, (HEADS, -1)).transpose(1, 2) for t in (q, k, v))
        x = F.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        tokens = tokens + F.linear(x, of["attn.proj.weight"], of["attn.proj.bias"])
        x = F.layer_norm(tokens, (WIDTH,), of["norm2.weight"], of["norm2.bias"], 1e-6)
        x = F.gelu(F.linear(x, of["mlp.fc1.weight"], of["mlp.fc1.bias"]))
        tokens = tokens + F.linear(x, of["mlp.fc2.weight"], of["mlp.fc2.bias"])
    return tokens


def test_the_network_computes_what_videomaes_encoder_computes(videomae) -> None:
    sizes = dict(img_size=2 * PATCH, patch_size=PATCH, embed_dims=WIDTH)
    cfg = dict(type="VisionTransformer", depth=DEPTH, num_heads=HEADS, num_frames=4, **sizes)
    torch.manual_seed(0)
    vit: nn.Module = MODELS.build(cfg).eval()
    converted, renamed = convert_checkpoint({"model": videomae, "epoch": 1599}, "mmaction", True)
    assert converted["meta"] == {"epoch": 1599, "converted_from": "videomae"}
    state = {name.removeprefix("backbone."): v for name, v in converted["state_dict"].items()}
    fit = vit.load_state_dict(state, strict=False)
    # VideoMAE has no norm after the mean either; its finetuning begins with a new one.
    assert set(fit.missing_keys) == {"pos_embed", "fc_norm.weight", "fc_norm.bias"}
    assert not fit.unexpected_keys
    left_out = ("decoder", "mask_token", "encoder.norm", "encoder_to")
    assert all(name.startswith(left_out) for name in set(videomae) - set(renamed))
    clip = torch.randn(2, 3, 4, 2 * PATCH, 2 * PATCH)
    patch = [videomae[f"encoder.patch_embed.proj.{p}"] for p in ("weight", "bias")]
    tokens = F.conv3d(clip, *patch, stride=(2, PATCH, PATCH)).flatten(2).transpose(1, 2)
    with torch.no_grad():
        expected = encode(videomae, tokens + vit.pos_embed).mean(dim=1)
        expected = F.layer_norm(expected, (WIDTH,), eps=1e-6)
        torch.testing.assert_close(vit(clip), expected, rtol=1e-4, atol=1e-5)


def test_only_videomaes_backbone_converts_and_only_to_ours(videomae) -> None:
    with pytest.raises(ValueError, match="leave the head out with --backbone-only"):
        convert_checkpoint({"model": videomae}, "mmaction")
    with pytest.raises(ValueError, match="have no counterpart among authors names"):
        convert_checkpoint({"model": videomae}, "authors", backbone_only=True)


def test_backbone_only(authors) -> None:
    for target in ("mmaction", "authors"):
        checkpoint, _ = convert_checkpoint(authors, target, backbone_only=True)
        assert len(checkpoint["state_dict"]) == 129 - 9
        assert not any(part in name for name in checkpoint["state_dict"] for part in ("fc", "proj"))
    # A backbone of another kind is exported as it is.
    state = {"backbone.blocks.0.weight": torch.ones(1), "cls_head.fc_cls.weight": torch.ones(1)}
    checkpoint, _ = convert_checkpoint({"state_dict": state}, "mmaction", backbone_only=True)
    assert list(checkpoint["state_dict"]) == ["backbone.blocks.0.weight"]
    with pytest.raises(ValueError, match=r"backbone\.blocks\.0\.weight.*not the 3D ResNet"):
        convert_checkpoint({"state_dict": state}, "authors")


def test_unknown_names_are_refused(authors) -> None:
    authors["state_dict"]["module.layer1.0.attention.weight"] = torch.ones(1)
    for backbone_only in (False, True):
        with pytest.raises(ValueError, match=r"1 of 130 names.*layer1\.0\.attention\.weight"):
            convert_checkpoint(authors, "mmaction", backbone_only)


@pytest.mark.parametrize(
    ("checkpoint", "sentence"),
    [
        ([1, 2], "has no weights: it is a list"),
        ({"state_dict": {}}, "has no weights"),
        (
            {"epoch": 1, "conv1.weight": torch.ones(1)},
            "1 of 2 entries .* not tensors .first: epoch",
        ),
        ({"state_dict": {"encoder.weight": torch.ones(1)}}, "are neither MMAction2's"),
    ],
)
def test_what_is_no_checkpoint_is_refused(checkpoint, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        convert_checkpoint(checkpoint, "mmaction")
    with pytest.raises(ValueError, match="one of mmaction, authors, torchvision"):
        convert_checkpoint(checkpoint, "timm")


@pytest.mark.parametrize(
    ("form", "names"),
    [
        ("authors", "conv1.weight layer4.35.conv3.weight layer4.35.bn3.running_var"),
        ("torchvision", "stem.0.weight layer4.35.conv3.0.weight layer4.35.conv3.1.running_var"),
    ],
)
def test_bottlenecks_have_names_there_and_back(form: str, names: str) -> None:
    state = {name: torch.tensor(float(n)) for n, name in enumerate(names.split())}
    assert detect_format(state) == form
    ours, renamed = convert_keys(state, form, "mmaction")
    assert list(renamed.values())[1:] == [
        "backbone.layer4.35.conv3.conv.weight",
        "backbone.layer4.35.conv3.bn.running_var",
    ]
    assert detect_format(ours) == "mmaction" and convert_keys(ours, "mmaction", form)[0] == state
