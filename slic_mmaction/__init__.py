"""SLIC for MMAction2: importing this package registers all its components."""

import sys
from pathlib import Path

from .version import __version__

__all__ = ["__version__", "register"]


def register() -> None:
    """Register all components with MMAction2, and repair what keeps a released one from it."""
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


# That takes seconds, in which the command `slic` can have answered: it does so when it must.
if Path(sys.argv[0] if sys.argv else "").name not in ("slic", "slic.exe"):
    register()
