"""Conversions are judged by what the network computes, not by names."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.checkpoints import (
    FORMATS,
    check_r3d18,
    convert_checkpoint,
    convert_keys,
    detect_format,
)
from slic_mmaction.models import pool_clips


def same(first: dict, second: dict) -> bool:
    return first.keys() == second.keys() and all(torch.equal(first[k], second[k]) for k in first)


def test_the_authors_weights_give_the_authors_embeddings(golden, authors_checkpoint, build) -> None:
    checkpoint, renamed = convert_checkpoint(authors_checkpoint, "mmaction")
    model = build()
    model.load_state_dict(checkpoint["state_dict"], strict=True)
    with torch.no_grad():
        features = model.backbone(golden["input"])
        torch.testing.assert_close(pool_clips(features), golden["pooled_eval"])
        torch.testing.assert_close(model.cls_head(features), golden["embedding_eval"])
    assert len(renamed) == len(authors_checkpoint["state_dict"]) == 129
    assert checkpoint["meta"] == dict(epoch=31, best_prec1=0.25, converted_from="authors")


def test_the_way_back_is_exact(authors_checkpoint) -> None:
    ours, _ = convert_checkpoint(authors_checkpoint, "mmaction")
    back, _ = convert_checkpoint(ours, "authors")
    assert same(back["state_dict"], authors_checkpoint["state_dict"])
    assert (back["epoch"], back["best_prec1"]) == (31, 0.25)


def test_a_trained_model_goes_to_the_authors_and_back(build) -> None:
    state = build().state_dict()
    theirs, _ = convert_checkpoint({"meta": {"epoch": 3}, "state_dict": state}, "authors")
    assert set(theirs) == {"epoch", "best_prec1", "state_dict"} and theirs["epoch"] == 3
    assert all(name.startswith("module.") for name in theirs["state_dict"])
    back, _ = convert_checkpoint(theirs, "mmaction")
    assert same(back["state_dict"], dict(state))


def test_torchvisions_weights_give_torchvisions_logits(
    torchvision_weights, torchvision_forward, build
) -> None:
    checkpoint, _ = convert_checkpoint(torchvision_weights, "mmaction")
    model = build(cls_head=dict(num_classes=5), conv1_kernel=(3, 7, 7))
    model.load_state_dict(checkpoint["state_dict"], strict=True)
    clips = torch.randn(2, 3, 8, 24, 32, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        logits = model.cls_head(model.backbone(clips))
    torch.testing.assert_close(logits, torchvision_forward(torchvision_weights, clips))
    back, _ = convert_keys(checkpoint["state_dict"], "mmaction", "torchvision")
    assert same(back, torchvision_weights)
    check_r3d18(back, width=8)


def test_torchvision_has_no_room_for_the_long_stem(authors_checkpoint) -> None:
    with pytest.raises(ValueError, match=r"stem\.0\.weight of shape \(64, 3, 3, 7, 7\).*7, 7, 7"):
        convert_checkpoint(authors_checkpoint, "torchvision", backbone_only=True)


def test_torchvision_has_no_room_for_a_projection_head(authors_checkpoint) -> None:
    with pytest.raises(ValueError, match=r"9 of 129 .*bn_proj\.bias.*--backbone-only"):
        convert_checkpoint(authors_checkpoint, "torchvision")


def test_torchvision_shapes(torchvision_weights) -> None:
    deeper = dict(torchvision_weights)
    deeper["layer1.2.conv1.0.weight"] = deeper["layer1.1.conv1.0.weight"]
    with pytest.raises(ValueError, match=r"no convolution layer1\.2\.conv1\.0\.weight"):
        check_r3d18(deeper, width=8)
    del torchvision_weights["layer3.0.downsample.0.weight"]
    with pytest.raises(ValueError, match=r"layer3\.0\.downsample\.0\.weight .* is missing"):
        check_r3d18(torchvision_weights, width=8)


@pytest.mark.parametrize("target", ["mmaction", "authors"])
def test_backbone_only_leaves_out_every_head(authors_checkpoint, target) -> None:
    checkpoint, _ = convert_checkpoint(authors_checkpoint, target, backbone_only=True)
    assert len(checkpoint["state_dict"]) == 129 - 9
    assert not any(part in name for name in checkpoint["state_dict"] for part in ("fc", "proj"))


def test_a_backbone_of_another_kind_is_exported_as_it_is() -> None:
    state = {"backbone.blocks.0.weight": torch.ones(1), "cls_head.fc_cls.weight": torch.ones(1)}
    checkpoint, _ = convert_checkpoint({"state_dict": state}, "mmaction", backbone_only=True)
    assert list(checkpoint["state_dict"]) == ["backbone.blocks.0.weight"]
    with pytest.raises(ValueError, match=r"backbone\.blocks\.0\.weight.*not the 3D ResNet"):
        convert_checkpoint({"state_dict": state}, "authors")


@pytest.mark.parametrize("backbone_only", [False, True])
def test_unknown_names_are_refused(authors_checkpoint, backbone_only) -> None:
    authors_checkpoint["state_dict"]["module.layer1.0.attention.weight"] = torch.ones(1)
    with pytest.raises(ValueError, match=r"1 of 130 names.*layer1\.0\.attention\.weight"):
        convert_checkpoint(authors_checkpoint, "mmaction", backbone_only)


@pytest.mark.parametrize(
    ("checkpoint", "sentence"),
    [
        ([1, 2], "holds no weights: a list"),
        ({"state_dict": {}}, "holds no weights"),
        ({"epoch": 1, "conv1.weight": torch.ones(1)}, "1 of 2 entries .* no tensors .first: epoch"),
        ({"state_dict": {"encoder.weight": torch.ones(1)}}, "are neither MMAction2's"),
        (
            {"state_dict": {"conv1.weight": torch.ones(1), "module.conv1.weight": torch.ones(1)}},
            "both with and without 'module.'",
        ),
    ],
)
def test_what_is_no_checkpoint_is_refused(checkpoint, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        convert_checkpoint(checkpoint, "mmaction")


def test_unknown_target() -> None:
    with pytest.raises(ValueError, match="one of mmaction, authors, torchvision"):
        convert_checkpoint({"conv1.weight": torch.ones(1)}, "timm")


@settings(deadline=None, max_examples=50)
@given(st.data())
def test_names_survive_any_round_trip(data) -> None:
    """Every name that one project can have comes back through ours."""
    form = data.draw(st.sampled_from(FORMATS[1:]))
    i, b, k = (data.draw(st.integers(1, n)) for n in (4, 40, 3))
    parameter = data.draw(st.sampled_from(["weight", "bias", "running_mean", "running_var"]))
    block = f"layer{i}.{b}"
    if form == "authors":
        names = ["conv1.weight", f"bn1.{parameter}", f"{block}.conv{k}.weight"]
        names += [f"{block}.bn{k}.{parameter}", f"bn_proj.{parameter}", f"fc2.{parameter}"]
    else:
        names = ["stem.0.weight", f"stem.1.{parameter}", f"{block}.conv{k}.0.weight"]
        names += [f"{block}.conv{k}.1.{parameter}", f"fc.{parameter}"]
    names += [f"{block}.downsample.0.weight", f"{block}.downsample.1.{parameter}"]
    state = {name: torch.tensor(float(n)) for n, name in enumerate(names)}
    assert detect_format(state) == form
    ours, renamed = convert_keys(state, form, "mmaction")
    assert len(set(renamed.values())) == len(names) and detect_format(ours) == "mmaction"
    assert convert_keys(ours, "mmaction", form)[0] == state
