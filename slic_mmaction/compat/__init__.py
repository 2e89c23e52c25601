"""Repairs of defects in released upstream packages.

No other part of the package knows about these defects. Each repair is made only if its defect is
present, so a fixed release (or a maintained fork) is not changed; its function returns whether a
repair was made. The docstring of each file describes its defect.
"""

from __future__ import annotations

import functools

from .missing_modules import alias_importlib_metadata, stand_in_for_drn, turn_vindlu_off
from .mmcv_install import check_mmcv, lift_mmcv_bound, silence_lite_warning

__all__ = ["apply"]


@functools.cache
def apply() -> tuple[str, ...]:
    """Make every repair that this installation needs, before mmaction is imported.

    Importing ``slic_mmaction`` calls it.

    Returns:
        The names of the repairs, in order; empty for an installation without defects.

    Raises:
        ImportError: If the installed mmcv cannot work. The message has the command to fix it.

    Examples:
        >>> from slic_mmaction import compat
        >>> compat.apply()  # names of repairs
        (...)
    """
    check_mmcv()
    silence_lite_warning()
    before_mmaction = dict(
        drn=stand_in_for_drn(),
        importlib_metadata=alias_importlib_metadata(),
        mmcv_bound=lift_mmcv_bound(),
    )

    # These import mmengine and torch, which takes seconds, so the quick checks come first.
    from .checkpoints import repair_checkpoint_content, repair_checkpoint_loading
    from .config_text import repair_config_text
    from .cpu_ranks import repair_cpu_ranks
    from .installed_packages import repair_installed_packages
    from .last_checkpoint import repair_last_checkpoint
    from .loader_workers import repair_loader_workers
    from .local_files import repair_local_files
    from .mlflow_names import repair_mlflow_names
    from .recognition import repair_recognition

    made = dict(
        before_mmaction,
        multimodal=turn_vindlu_off(),
        installed_packages=repair_installed_packages(),
        checkpoints=repair_checkpoint_loading(),
        checkpoint_content=repair_checkpoint_content(),
        last_checkpoint=repair_last_checkpoint(),
        cpu_ranks=repair_cpu_ranks(),
        local_files=repair_local_files(),
        config_text=repair_config_text(),
        loader_workers=repair_loader_workers(),
        mlflow_names=repair_mlflow_names(),
        recognition=repair_recognition(),
    )
    return tuple(name for name, needed in made.items() if needed)
