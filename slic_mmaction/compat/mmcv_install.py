"""Says what is wrong with the installed mmcv before mmaction's own import fails on it.

``mmcv`` and ``mmcv-lite`` both install the module ``mmcv``: the files of the two mix, and
removing one breaks the other. ``mmaction/__init__.py`` (1.2.0) asserts
``2.0.0rc4 <= mmcv < 2.2.0``.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from importlib import metadata

#: Distributions that install the module ``mmcv`` (the last two: mmcv 1.x, a maintained fork).
_PROVIDERS = ("mmcv", "mmcv-lite", "mmcv-full", "onedl-mmcv")
_INSTALL = 'pip install "mmcv-lite>=2.0.1,<2.2"'


def check_mmcv() -> None:
    """Check that exactly one mmcv is installed and that mmaction accepts its version.

    Raises:
        ImportError: mmcv is missing, installed twice, or outside 2.0 <= version < 2.2.
    """
    if importlib.util.find_spec("mmcv") is None:
        raise ImportError(f"mmcv is not installed: run `{_INSTALL}`.")
    installed = [name for name in _PROVIDERS if any(metadata.distributions(name=name))]
    reinstall = f"pip uninstall -y {' '.join(installed or ['mmcv'])} && {_INSTALL}"
    if len(installed) > 1:
        raise ImportError(
            f"{' and '.join(installed)} are both installed and overwrite each other's files: "
            f"run `{reinstall}`."
        )
    version = str(importlib.import_module("mmcv").__version__)
    # Versions of mmcv always carry major and minor as plain numbers.
    if not (2, 0) <= tuple(map(int, version.split(".")[:2])) < (2, 2):
        raise ImportError(
            f"mmcv {version} is installed and mmaction2 accepts 2.0 <= mmcv < 2.2: "
            f"run `{reinstall}`."
        )


def silence_lite_warning() -> None:
    """Keep mmcv-lite from warning at every import of an operator that nothing here calls."""
    warnings.filterwarnings("ignore", "Fail to import ``MultiScaleDeformableAttention``")
