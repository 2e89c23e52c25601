"""A checkpoint of one project as a checkpoint of another."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from torch import Tensor

from .key_maps import AUTHORS, FORMATS, TORCHVISION, WRAPPER, convert_keys, detect_format

#: Entries beside the weights that the authors' loader asks for.
KEPT = ("epoch", "best_prec1")


def convert_checkpoint(
    checkpoint: Any, target: str, backbone_only: bool = False
) -> tuple[dict[str, Any], dict[str, str]]:
    """Convert a checkpoint as it was read from a file.

    Args:
        checkpoint: A dict with the weights under ``state_dict`` or, as VideoMAE's, ``model``,
            or the weights alone.
        target: One of ``FORMATS``. A checkpoint of the authors gets ``module.`` before its
            names, as theirs have, and ``epoch`` and ``best_prec1``, which their loader asks for;
            one of torchvision is the weights alone.
        backbone_only: Whether the head is left out.

    Returns:
        The checkpoint to be saved, and the new name of each old one. Optimizer state and other
        contents are left behind.

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
    entries = {**checkpoint, **checkpoint.get("meta", {})}
    meta = {name: entries[name] for name in KEPT if isinstance(entries.get(name), (int, float))}
    if target == AUTHORS:
        # Their loader stops without these; 0 and 0.0 are what a new run of theirs starts from.
        weights = {WRAPPER + name: tensor for name, tensor in converted.items()}
        names = {old: WRAPPER + new for old, new in renamed.items()}
        return {"epoch": 0, "best_prec1": 0.0, **meta, "state_dict": weights}, names
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
    return dict(state)


def check_r3d18(state: Mapping[str, Tensor], width: int = 64) -> None:
    """Refuse weights that torchvision's ``r3d_18`` has no room for, given by its names.

    It is the network of SLIC but for its stem, whose kernel is 3x7x7 where SLIC's is
    7x7x7 (torchvision/models/video/resnet.py).

    Raises:
        ValueError: If a convolution is missing, has another shape, or is one too many.
    """
    expected: dict[str, tuple[int, ...]] = {"stem.0.weight": (width, 3, 3, 7, 7)}
    channels = width
    for stage, block in product(range(1, 5), range(2)):
        out, name = width * 2 ** (stage - 1), f"layer{stage}.{block}"
        expected[f"{name}.conv1.0.weight"] = (out, channels, 3, 3, 3)
        expected[f"{name}.conv2.0.weight"] = (out, out, 3, 3, 3)
        if channels != out:
            expected[f"{name}.downsample.0.weight"] = (out, channels, 1, 1, 1)
        channels = out
    found = {name: tuple(tensor.shape) for name, tensor in state.items() if tensor.ndim == 5}
    for name in {**expected, **found}:
        if expected.get(name) != found.get(name):
            raise ValueError(
                f"{name} has the shape {found.get(name, 'none')} in this checkpoint, but "
                f"{expected.get(name, 'none')} in torchvision's r3d_18: only an R3D-18 of width "
                f"{width} whose stem is 3x7x7 (backbone.conv1_kernel=(3, 7, 7)) fits."
            )
