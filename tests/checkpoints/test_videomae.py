"""Self-supervised VideoMAE weights for MMAction2's ViT."""

from __future__ import annotations

import re

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.registry import init_default_scope
from torch import Tensor, nn
from torch.nn import functional

from slic_mmaction.checkpoints import convert_checkpoint

WIDTH, DEPTH, HEADS, PATCH = 16, 2, 2, 8


@pytest.fixture
def videomae() -> dict[str, Tensor]:
    """Names and shapes of MCG-NJU/VideoMAE's PretrainVisionTransformer, random values."""
    shapes: dict[str, tuple[int, ...]] = {
        "mask_token": (1, 1, 8),
        "encoder_to_decoder.weight": (8, WIDTH),
        "encoder.patch_embed.proj.weight": (WIDTH, 3, 2, PATCH, PATCH),
        "encoder.patch_embed.proj.bias": (WIDTH,),
        "encoder.norm.weight": (WIDTH,),
        "encoder.norm.bias": (WIDTH,),
    }
    for part, width, depth in (("encoder", WIDTH, DEPTH), ("decoder", 8, 1)):
        for i in range(depth):
            block = f"{part}.blocks.{i}"
            for norm in ("norm1", "norm2"):
                shapes.update({f"{block}.{norm}.{p}": (width,) for p in ("weight", "bias")})
            shapes.update(
                {
                    f"{block}.attn.q_bias": (width,),
                    f"{block}.attn.v_bias": (width,),
                    f"{block}.attn.qkv.weight": (3 * width, width),
                    f"{block}.attn.proj.weight": (width, width),
                    f"{block}.attn.proj.bias": (width,),
                    f"{block}.mlp.fc1.weight": (4 * width, width),
                    f"{block}.mlp.fc1.bias": (4 * width,),
                    f"{block}.mlp.fc2.weight": (width, 4 * width),
                    f"{block}.mlp.fc2.bias": (width,),
                }
            )
    generator = torch.Generator().manual_seed(0)
    return {name: 0.3 * torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def encode(state: dict[str, Tensor], tokens: Tensor) -> Tensor:
    """The blocks of an encoder as the paper has them, on (N, L, C) tokens."""
    for i in range(DEPTH):
        of = {
            name.split(f"blocks.{i}.", 1)[1]: value
            for name, value in state.items()
            if name.startswith(f"encoder.blocks.{i}.")
        }
        x = functional.layer_norm(tokens, (WIDTH,), of["norm1.weight"], of["norm1.bias"], 1e-6)
        bias = torch.cat([of["attn.q_bias"], torch.zeros(WIDTH), of["attn.v_bias"]])
        q, k, v = functional.linear(x, of["attn.qkv.weight"], bias).chunk(3, dim=-1)
        q, k, v = (t.unflatten(-1, (HEADS, -1)).transpose(1, 2) for t in (q, k, v))
        x = functional.scaled_dot_product_attention(q, k, v).transpose(1, 2).flatten(2)
        tokens = tokens + functional.linear(x, of["attn.proj.weight"], of["attn.proj.bias"])
        x = functional.layer_norm(tokens, (WIDTH,), of["norm2.weight"], of["norm2.bias"], 1e-6)
        x = functional.gelu(functional.linear(x, of["mlp.fc1.weight"], of["mlp.fc1.bias"]))
        tokens = tokens + functional.linear(x, of["mlp.fc2.weight"], of["mlp.fc2.bias"])
    return tokens


@pytest.fixture
def vit() -> nn.Module:
    init_default_scope("mmaction")
    torch.manual_seed(0)
    return MODELS.build(
        dict(
            type="VisionTransformer",
            img_size=2 * PATCH,
            patch_size=PATCH,
            embed_dims=WIDTH,
            depth=DEPTH,
            num_heads=HEADS,
            num_frames=4,
        )
    ).eval()


def test_the_network_computes_what_videomaes_encoder_computes(videomae, vit) -> None:
    converted, renamed = convert_checkpoint({"model": videomae, "epoch": 1599}, "mmaction", True)
    assert converted["meta"] == {"epoch": 1599, "converted_from": "videomae"}
    start = "backbone."
    assert all(name.startswith(start) for name in converted["state_dict"])
    state = {name[len(start) :]: value for name, value in converted["state_dict"].items()}
    fit = vit.load_state_dict(state, strict=False)
    # VideoMAE has no norm after the mean either; its finetuning begins with a new one.
    assert set(fit.missing_keys) == {"pos_embed", "fc_norm.weight", "fc_norm.bias"}
    assert not fit.unexpected_keys
    left_out = set(videomae) - set(renamed)
    assert all(re.match(r"decoder|mask_token|encoder\.norm|encoder_to", n) for n in left_out)

    clip = torch.randn(2, 3, 4, 2 * PATCH, 2 * PATCH)
    patches = functional.conv3d(
        clip,
        videomae["encoder.patch_embed.proj.weight"],
        videomae["encoder.patch_embed.proj.bias"],
        stride=(2, PATCH, PATCH),
    )
    with torch.no_grad():
        expected = encode(videomae, patches.flatten(2).transpose(1, 2) + vit.pos_embed)
        torch.testing.assert_close(
            vit(clip),
            functional.layer_norm(expected.mean(dim=1), (WIDTH,), eps=1e-6),
            rtol=1e-4,
            atol=1e-5,
        )


def test_the_decoder_is_left_out_on_request_only(videomae) -> None:
    with pytest.raises(ValueError, match="leave the head out with --backbone-only"):
        convert_checkpoint({"model": videomae}, "mmaction")


def test_there_is_no_way_to_another_network(videomae) -> None:
    with pytest.raises(ValueError, match="have no counterpart among authors names"):
        convert_checkpoint({"model": videomae}, "authors", backbone_only=True)
