"""SLIC for MMAction2: importing this package registers all its components."""

from . import compat
from .version import __version__

compat.apply()

# Only now can MMAction2 be imported: compat repairs what keeps a released one from it.
from . import (  # noqa: E402
    clustering,
    datasets,
    evaluation,
    hooks,
    losses,
    models,
    transforms,
)

__all__ = [
    "__version__",
    "clustering",
    "compat",
    "datasets",
    "evaluation",
    "hooks",
    "losses",
    "models",
    "transforms",
]
