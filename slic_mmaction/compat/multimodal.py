"""Turns MMAction2's text-video models off where what they import is not there.

mmaction2 1.2.0 imports VindLU whenever ``transformers >= 4.28`` is installed, for whatever reason
it is. VindLU needs names that transformers 5 no longer has, and timm, which nothing declares;
without them ``import mmaction.models`` fails. Turned off, its three models are placeholders that
say what to install, as they are without transformers.
"""

from __future__ import annotations

import importlib

_NEEDED = {
    "timm.models.layers": ("DropPath",),
    "transformers.modeling_utils": (
        "apply_chunking_to_forward",
        "find_pruneable_heads_and_indices",
        "prune_linear_layer",
    ),
}


def repair_multimodal() -> bool:
    """Do without VindLU; must run before ``mmaction.models`` is imported.

    Returns:
        Whether something that it imports was missing.
    """
    from mmaction.utils import dependency

    if not dependency.WITH_MULTIMODAL or all(_has(*item) for item in _NEEDED.items()):
        return False
    dependency.WITH_MULTIMODAL = False
    return True


def _has(module: str, names: tuple[str, ...]) -> bool:
    try:
        found = importlib.import_module(module)
    except (ImportError, RuntimeError):  # RuntimeError: a torchvision built for another torch.
        return False
    return all(hasattr(found, name) for name in names)
