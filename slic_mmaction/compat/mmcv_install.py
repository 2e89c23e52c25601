"""Checking the installed mmcv before mmaction's own import fails.

``mmcv`` and ``mmcv-lite`` both install the module ``mmcv``: their files overwrite each other, and
uninstalling one breaks the other. The same holds for ``mmengine`` and its maintained fork
``onedl-mmengine``. ``mmaction/__init__.py`` (1.2.0) asserts ``2.0.0rc4 <= mmcv < 2.2.0``, which
refuses the fork ``onedl-mmcv`` 2.3, although mmaction works with it.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import warnings
from importlib import metadata

#: Distributions that install the module ``mmcv`` (mmcv-full: mmcv 1.x), and ``mmengine``.
_MMCV = ("mmcv", "mmcv-lite", "mmcv-full", "onedl-mmcv")
_MMENGINE = ("mmengine", "onedl-mmengine")
_INSTALL = 'pip install "mmcv-lite>=2.0.1,<2.2"'
_INSTALL_FORKS = 'pip install "onedl-mmengine>=0.10.12" "onedl-mmcv>=2.3.6,<2.4"'


def check_mmcv() -> None:
    """Check that exactly one mmcv is installed and that mmaction works with its version.

    Raises:
        ImportError: If mmcv is missing, mmcv or mmengine is installed twice, or the version is not
            in 2.0 <= mmcv < 2.2 (for onedl-mmcv 2.0 <= version < 2.4).
    """
    if importlib.util.find_spec("mmcv") is None:
        raise ImportError(f"mmcv is not installed: run `{_INSTALL}`.")
    for providers in (_MMENGINE, _MMCV):
        installed = [name for name in providers if any(metadata.distributions(name=name))]
        if len(installed) > 1:
            install = _INSTALL_FORKS if "onedl-mmengine" in installed else _INSTALL
            raise ImportError(
                f"{' and '.join(installed)} are both installed and overwrite each other's files: "
                f"run `pip uninstall -y {' '.join(installed)} && {install}`."
            )
    provider = installed[0] if installed else "mmcv"
    below = (2, 4) if provider == "onedl-mmcv" else (2, 2)
    version, parts = _mmcv_version()
    if not (2, 0) <= parts < below:
        raise ImportError(
            f"{provider} {version} is installed and mmaction2 works with 2.0 <= version < "
            f"{'.'.join(map(str, below))}: run `pip uninstall -y {provider} && {_INSTALL}`."
        )


def lift_mmcv_bound() -> bool:
    """Make ``import mmaction`` succeed with the fork onedl-mmcv 2.2 or 2.3.

    ``mmcv.__version__`` is an older version during the import.
    """
    mmcv = importlib.import_module("mmcv")
    version, parts = _mmcv_version()
    if parts < (2, 2) or "mmaction" in sys.modules:
        return False
    mmcv.__version__ = "2.1.0"  # type: ignore[attr-defined]
    try:
        importlib.import_module("mmaction")
    finally:
        mmcv.__version__ = version  # type: ignore[attr-defined]
    return True


def _mmcv_version() -> tuple[str, tuple[int, ...]]:
    version = str(importlib.import_module("mmcv").__version__)
    # Major and minor versions of mmcv are always plain numbers.
    return version, tuple(map(int, version.split(".")[:2]))


def silence_lite_warning() -> None:
    """Silence mmcv-lite's warning at every import about an operator that is not used here."""
    warnings.filterwarnings("ignore", "Fail to import ``MultiScaleDeformableAttention``")
