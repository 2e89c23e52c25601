"""A checkpoint of one project as a checkpoint of another."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import Tensor

from .key_maps import (
    AUTHORS,
    FORMATS,
    OURS,
    TORCHVISION,
    WRAPPER,
    convert_keys,
    detect_format,
    unwrapped,
)
from .torchvision_r3d import check_r3d18

KEPT = ("epoch", "best_prec1")
"""Entries beside the weights that the authors' loader asks for."""


def convert_checkpoint(
    checkpoint: Any, target: str, backbone_only: bool = False
) -> tuple[dict[str, Any], dict[str, str]]:
    """Convert a checkpoint as it was read from a file.

    Args:
        checkpoint: A dict with the weights under ``state_dict`` or, as VideoMAE's,
            ``model``, or the weights alone.
        target: One of :data:`~slic_mmaction.checkpoints.FORMATS`. A checkpoint of the
            authors gets ``module.`` before its names, as theirs have, and ``epoch`` and
            ``best_prec1``, which their loader asks for; one of torchvision is the weights alone.
        backbone_only: Whether the head is left out. Defaults to False.

    Returns:
        The checkpoint to be saved, and the new name of
        each old one. Optimizer state and other contents are left behind.

    Raises:
        ValueError: If there are no weights, their names are not known, or the network does not
            fit torchvision's.
    """
    if target not in FORMATS:
        raise ValueError(f"The target is one of {', '.join(FORMATS)}, but got {target!r}.")
    state = weights_of(checkpoint)
    source = detect_format(state)
    if source is None:
        raise ValueError(
            f"The checkpoint's names ({', '.join(list(state)[:3])}, ...) are neither MMAction2's, "
            "the authors', torchvision's nor VideoMAE's: it holds neither an R3D nor a "
            "VideoMAE network, or it was saved inside another module."
        )
    converted, renamed = convert_keys(state, source, target, backbone_only)
    if target == TORCHVISION:
        check_r3d18(converted)
        return converted, renamed
    meta = _meta(checkpoint)
    if target == AUTHORS:
        # Their loader stops without these; 0 and 0.0 are what a new run of theirs starts from.
        entries: dict[str, Any] = {"epoch": 0, "best_prec1": 0.0, **meta}
        weights = {WRAPPER + name: tensor for name, tensor in converted.items()}
        return {**entries, "state_dict": weights}, {
            old: WRAPPER + new for old, new in renamed.items()
        }
    assert target == OURS
    return {"meta": {**meta, "converted_from": source}, "state_dict": converted}, renamed


def weights_of(checkpoint: Any) -> dict[str, Tensor]:
    """Parameters and buffers by name, from wherever a project keeps them in its files.

    Raises:
        ValueError: See :func:`convert_checkpoint`.
    """
    state: Any = None
    if isinstance(checkpoint, Mapping):
        state = checkpoint.get("state_dict", checkpoint.get("model", checkpoint))
    if not isinstance(state, Mapping) or not state:
        raise ValueError(
            f"The checkpoint holds no weights: a {type(checkpoint).__name__} where a dict with "
            "'state_dict' was expected."
        )
    wrong = [name for name, value in state.items() if not isinstance(value, Tensor)]
    if wrong:
        raise ValueError(
            f"{len(wrong)} of {len(state)} entries of the checkpoint's weights are no tensors "
            f"(first: {wrong[0]}); give the file in which the weights lie under 'state_dict'."
        )
    twice = len(state) - len({unwrapped(name) for name in state})
    if twice:
        raise ValueError(f"{twice} names are in the checkpoint both with and without 'module.'.")
    return dict(state)


def _meta(checkpoint: Mapping[str, Any]) -> dict[str, Any]:
    """Epoch and the authors' best result, from where either project keeps them."""
    entries = {**checkpoint, **checkpoint.get("meta", {})}
    return {name: entries[name] for name in KEPT if isinstance(entries.get(name), (int, float))}
