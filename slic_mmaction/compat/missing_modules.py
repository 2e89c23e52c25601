"""Modules whose absence breaks ``import mmaction.models`` of mmaction2 1.2.0.

The wheel on PyPI lacks the localizer DRN (mmaction2 issue 2714). It imports ``importlib_metadata``,
which is not among its requirements. It imports VindLU if ``transformers >= 4.28`` is installed,
but VindLU needs names that transformers 5 has removed, and timm, which is not a requirement.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

_DRN = "mmaction.models.localizers.drn"
_NEEDED_BY_VINDLU = {
    "timm.models.layers": ("DropPath",),
    "transformers.modeling_utils": (
        "apply_chunking_to_forward",
        "find_pruneable_heads_and_indices",
        "prune_linear_layer",
    ),
}


class _DRNStandIn(MetaPathFinder, Loader):
    """Finder and loader of a stand-in for the package DRN and its only submodule.

    It is the last of ``sys.meta_path``, so that every real finder is tried first.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname not in (_DRN, f"{_DRN}.drn"):
            return None
        return importlib.util.spec_from_loader(fullname, self, is_package=True)

    def exec_module(self, module: ModuleType) -> None:
        from mmaction.registry import MODELS
        from torch import nn

        class DRN(nn.Module):
            """Placeholder that raises an error with the remedy when it is built."""

            __module__ = module.__name__

            def __init__(self, *args: object, **kwargs: object) -> None:
                raise NotImplementedError(
                    "DRN is not part of the mmaction2 1.2.0 wheel on PyPI (mmaction2 issue 2714): "
                    "install mmaction2 from its source repository to use it."
                )

        # This runs for the package and its submodule, but the name is registered once.
        if "DRN" not in MODELS.module_dict:
            MODELS.register_module(module=DRN)
        module.DRN = MODELS.module_dict["DRN"]  # type: ignore[attr-defined]


def stand_in_for_drn() -> bool:
    """Make ``import mmaction.models`` succeed without DRN; building a DRN raises an error.

    Raises:
        ImportError: If mmaction2 is not installed.
    """
    mmaction = importlib.util.find_spec("mmaction")
    if mmaction is None or not mmaction.submodule_search_locations:
        raise ImportError("mmaction2 is not installed: run `pip install mmaction2==1.2.0`.")
    # DRN is searched on disk, because importing its parents fails.
    roots = mmaction.submodule_search_locations
    if any(Path(root, "models", "localizers", "drn").is_dir() for root in roots):
        return False
    if not any(isinstance(finder, _DRNStandIn) for finder in sys.meta_path):
        sys.meta_path.append(_DRNStandIn())
    return True


def alias_importlib_metadata() -> bool:
    """Make ``importlib_metadata`` importable for ``mmaction.utils.dependency``.

    It uses ``distribution`` and ``PackageNotFoundError`` only, which the standard library has.
    """
    if "importlib_metadata" in sys.modules or importlib.util.find_spec("importlib_metadata"):
        return False
    sys.modules["importlib_metadata"] = importlib.metadata
    return True


def turn_vindlu_off() -> bool:
    """Disable VindLU if its imports are missing.

    Its three models are then placeholders, as without transformers, whose error says what to
    install. Must run after :func:`alias_importlib_metadata`.
    """
    from mmaction.utils import dependency

    if not dependency.WITH_MULTIMODAL or all(map(_has, *zip(*_NEEDED_BY_VINDLU.items()))):
        return False
    dependency.WITH_MULTIMODAL = False
    return True


def _has(module: str, names: tuple[str, ...]) -> bool:
    try:
        found = importlib.import_module(module)
    except (ImportError, RuntimeError):  # RuntimeError: a torchvision built for another torch.
        return False
    return all(hasattr(found, name) for name in names)
