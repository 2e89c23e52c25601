"""SLIC for MMAction2: importing this package registers all its components."""

import sys
from pathlib import Path

from .version import __version__

__all__ = ["__version__", "register"]


def register() -> None:
    """Register all components with MMAction2, after the repairs that a release of it may need.

    Importing this package does this.

    Examples:
        >>> import slic_mmaction
        >>> from mmaction.registry import MODELS
        >>> slic_mmaction.register()
        >>> MODELS.get("SLICHead").__name__
        'SLICHead'
    """
    from . import compat

    compat.apply()

    # Only now can MMAction2 be imported.
    from . import (  # noqa: F401
        clustering,
        datasets,
        evaluation,
        hooks,
        losses,
        models,
        runner,
        transforms,
    )


# This takes seconds. The command `slic` calls it only when necessary, so that it answers at once.
if Path(sys.argv[0] if sys.argv else "").name not in ("slic", "slic.exe"):
    register()
