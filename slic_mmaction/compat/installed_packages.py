"""``mmengine.utils.is_installed`` and ``get_installed_path`` without ``pkg_resources``.

mmengine 0.10.7 imports ``pkg_resources`` in both functions, but setuptools 82 removed it. A config
with ``_base_ = 'mmaction::...'`` then fails with ``No module named 'pkg_resources'``. The two
functions are replaced. A substitute module would not do, because other libraries can work without
``pkg_resources``, but not with a part of it.
"""

from __future__ import annotations

import importlib.util
import inspect
import sys
from importlib import metadata
from pathlib import Path

from mmengine.utils import package_utils


def repair_installed_packages() -> bool:
    """Replace mmengine's two functions, also in modules that have imported them by name.

    The repair is skipped if ``pkg_resources`` exists, or if mmengine does not use it.
    """
    if importlib.util.find_spec("pkg_resources") is not None:
        return False
    if "pkg_resources" not in inspect.getsource(package_utils):
        return False
    loaded = [m for name, m in sys.modules.items() if name.partition(".")[0] == "mmengine"]
    for replacement in (is_installed, get_installed_path):
        name = replacement.__name__
        broken = getattr(package_utils, name)
        for module in loaded:
            if getattr(module, name, None) is broken:
                setattr(module, name, replacement)
    return True


def is_installed(package: str) -> bool:
    """Return whether there is a distribution, or a module with a file, of that name."""
    return _distribution(package) is not None or _module_folder(package) is not None


def get_installed_path(package: str) -> str:
    """Return the folder of the top-level module of a distribution, or of a module of that name.

    Raises:
        ModuleNotFoundError: If neither is installed.
    """
    distribution = _distribution(package)
    modules = [package]
    if distribution is not None:
        modules += (distribution.read_text("top_level.txt") or "").split()
        for module in modules:
            folder = Path(str(distribution.locate_file(module)))
            if folder.is_dir():
                return str(folder)
    for module in modules:  # an editable install keeps its modules elsewhere
        found = _module_folder(module)
        if found is not None:
            return found
    raise ModuleNotFoundError(f"{package} is not installed: run `pip install {package}`.")


def _distribution(name: str) -> metadata.Distribution | None:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return None


def _module_folder(name: str) -> str | None:
    spec = importlib.util.find_spec(name) if name.isidentifier() else None
    return None if spec is None or spec.origin is None else str(Path(spec.origin).parent)
