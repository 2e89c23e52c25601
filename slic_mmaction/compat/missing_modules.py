"""Stand-ins for modules that upstream imports and no installed distribution provides.

The stand-in of DRN is a file, served by a finder at the *end* of ``sys.meta_path``: Python
asks it only after every real finder has said no, so a module that is really there wins.
"""

from __future__ import annotations

import importlib.machinery
import importlib.metadata
import importlib.util
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from pathlib import Path
from types import ModuleType

_DRN = "mmaction.models.localizers.drn"
_STAND_IN = Path(__file__).parent / "drn_stand_in.py"


class _StandInFinder(MetaPathFinder):
    """Finds the stand-in of a module by its full name; ``files`` maps names to files."""

    def __init__(self) -> None:
        self.files: dict[str, Path] = {}

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None = None,
        target: ModuleType | None = None,
    ) -> importlib.machinery.ModuleSpec | None:
        file = self.files.get(fullname)
        if file is None:
            return None
        # An empty search path makes the stand-in a package; submodules come through here too.
        return importlib.util.spec_from_file_location(fullname, file, submodule_search_locations=[])


_FINDER = _StandInFinder()


def stand_in_for_missing_modules() -> list[str]:
    """Provide every missing module upstream needs.

    Returns:
        Names of the modules that were missing.
    """
    repairs = [(_DRN, stand_in_for_drn), ("importlib_metadata", alias_importlib_metadata)]
    return [name for name, repair in repairs if repair()]


def stand_in_for_drn() -> bool:
    """Let ``import mmaction.models`` succeed without the localizer DRN (mmaction2 issue 2714).

    The wheel of mmaction2 1.2.0 on PyPI lacks the folder that ``localizers/__init__.py``
    imports. The real submodule is looked for on disk, since importing its parents is what
    fails. Building DRN then raises one sentence.

    Returns:
        Whether the submodule was missing.
    """
    mmaction = importlib.util.find_spec("mmaction")
    if mmaction is None or not mmaction.submodule_search_locations:
        raise ImportError("mmaction2 is not installed: run `pip install mmaction2==1.2.0`.")
    roots = mmaction.submodule_search_locations
    if any(Path(root, "models", "localizers", "drn").is_dir() for root in roots):
        return False
    _FINDER.files.update({_DRN: _STAND_IN, f"{_DRN}.drn": _STAND_IN})
    if _FINDER not in sys.meta_path:
        sys.meta_path.append(_FINDER)
    return True


def alias_importlib_metadata() -> bool:
    """Let ``mmaction.utils.dependency`` import ``importlib_metadata``, which it never declares.

    Only ``distribution`` and ``PackageNotFoundError`` are used there: the standard library's
    module has both.

    Returns:
        Whether the module was missing.
    """
    if "importlib_metadata" in sys.modules or importlib.util.find_spec("importlib_metadata"):
        return False
    sys.modules["importlib_metadata"] = importlib.metadata
    return True
