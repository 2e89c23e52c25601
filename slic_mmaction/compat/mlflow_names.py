"""Names of scalars in MLflow.

mmengine 0.10.7 passes the names of scalars to MLflow unchanged. MLflow refuses most punctuation,
so ``R@1`` would end a training. This module writes it as ``R_at_1``.
"""

from __future__ import annotations

import inspect
import re
from typing import Any

from mmengine.visualization import MLflowVisBackend

_add_scalar, _add_scalars = MLflowVisBackend.add_scalar, MLflowVisBackend.add_scalars


def repair_mlflow_names() -> bool:
    """Make mmengine write names that MLflow accepts.

    Returns:
        False, without a change, if this mmengine converts names itself.
    """
    if "sub(" in inspect.getsource(MLflowVisBackend):
        return False
    MLflowVisBackend.add_scalar, MLflowVisBackend.add_scalars = add_scalar, add_scalars
    return True


def allowed(name: str) -> str:
    """Replace all characters of a name except letters, digits, spaces and ``_-.:/``."""
    return re.sub(r"[^\w\-. :/]", "_", name.replace("@", "_at_"))


def add_scalar(self: MLflowVisBackend, name: str, *args: Any, **kwargs: Any) -> None:
    """Write a scalar under its allowed name."""
    _add_scalar(self, allowed(name), *args, **kwargs)


def add_scalars(self: MLflowVisBackend, scalar_dict: dict, *args: Any, **kwargs: Any) -> None:
    """Write scalars under their allowed names."""
    named = {allowed(name): value for name, value in scalar_dict.items()}
    _add_scalars(self, named, *args, **kwargs)
