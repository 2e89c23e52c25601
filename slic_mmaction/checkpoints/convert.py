"""Converting a checkpoint of one project to that of another."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from typing import Any

from torch import Tensor

from .key_maps import AUTHORS, FORMATS, TORCHVISION, WRAPPER, convert_keys, detect_format

#: Entries besides the weights that the authors' loader requires.
KEPT = ("epoch", "best_prec1")


def convert_checkpoint(
    checkpoint: Any, target: str, backbone_only: bool = False
) -> tuple[dict[str, Any], dict[str, str]]:
    """Convert a loaded checkpoint to the format of another project.

    Args:
        checkpoint: A dict with the weights under ``state_dict`` or, for VideoMAE, ``model``, or
            the weights alone.
        target: One of ``FORMATS``. A checkpoint for the authors' code has names with ``module.``
            and the entries ``epoch`` and ``best_prec1``, which their loader requires. A
            checkpoint for torchvision is the weights alone.
        backbone_only: Whether to leave out the head.

    Returns:
        The converted checkpoint, and a dict from old to new names. Optimizer state and other
        contents are dropped.

    Raises:
        ValueError: If there are no weights, their names are unknown, or the network is not
            torchvision's.
    """
    if target not in FORMATS:
        raise ValueError(f"The target is one of {', '.join(FORMATS)}, but got {target!r}.")
    state = weights_of(checkpoint)
    source = detect_format(state)
    if source is None:
        raise ValueError(
            f"The checkpoint's names ({', '.join(list(state)[:3])}, ...) are neither MMAction2's, "
            "the authors', torchvision's nor VideoMAE's: the network is neither an R3D nor a "
            "VideoMAE, or it was saved inside another module."
        )
    converted, renamed = convert_keys(state, source, target, backbone_only)
    if target == TORCHVISION:
        check_r3d18(converted)
        return converted, renamed
    entries = {**checkpoint, **checkpoint.get("meta", {})}
    meta = {name: entries[name] for name in KEPT if isinstance(entries.get(name), (int, float))}
    if target == AUTHORS:
        # Their loader fails without these; 0 and 0.0 are the values of a new run.
        weights = {WRAPPER + name: tensor for name, tensor in converted.items()}
        names = {old: WRAPPER + new for old, new in renamed.items()}
        return {"epoch": 0, "best_prec1": 0.0, **meta, "state_dict": weights}, names
    return {"meta": {**meta, "converted_from": source}, "state_dict": converted}, renamed


def weights_of(checkpoint: Any) -> dict[str, Tensor]:
    """Find the parameters and buffers by name in a checkpoint of any project.

    Raises:
        ValueError: If there are none.
    """
    state: Any = None
    if isinstance(checkpoint, Mapping):
        state = checkpoint.get("state_dict", checkpoint.get("model", checkpoint))
    if not isinstance(state, Mapping) or not state:
        raise ValueError(
            f"The checkpoint has no weights: it is a {type(checkpoint).__name__}, but a dict with "
            "'state_dict' was expected."
        )
    wrong = [name for name, value in state.items() if not isinstance(value, Tensor)]
    if wrong:
        raise ValueError(
            f"{len(wrong)} of {len(state)} entries of the checkpoint's weights are not tensors "
            f"(first: {wrong[0]}): give a file that has its weights under 'state_dict'."
        )
    return dict(state)


def check_r3d18(state: Mapping[str, Tensor], width: int = 64) -> None:
    """Check that weights with torchvision's names fit its ``r3d_18``.

    This network has a stem with a kernel of 3x7x7 (torchvision/models/video/resnet.py). It is
    SLIC's network except for the stem, whose kernel is 7x7x7 there.

    Args:
        state: Weights by torchvision's names.
        width: Number of channels of the first stage.

    Raises:
        ValueError: If a convolution is missing, unexpected, or has another shape.
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
