"""SLIC for MMAction2: importing this package registers all its components."""

from . import compat
from .version import __version__

compat.apply()

from . import clustering, datasets, hooks, losses, models, transforms  # noqa: E402

__all__ = ["__version__", "compat"]
