"""Everything that is broken in the released upstreams, and its repair.

No other part of the package knows about these defects. Each repair is made only where its
defect is present, so a repaired upstream release (or a maintained fork) is left alone; its
function returns whether that was so. The first lines of each file say what is broken.
"""

from __future__ import annotations

import functools

from .missing_modules import alias_importlib_metadata, stand_in_for_drn, turn_vindlu_off
from .mmcv_install import check_mmcv, lift_mmcv_bound, silence_lite_warning

__all__ = ["apply"]


@functools.cache
def apply() -> tuple[str, ...]:
    """Make every repair that this installation needs; must run before mmaction is imported.

    Returns:
        The names of the repairs made, in the order made; empty for a sound installation.

    Raises:
        ImportError: The installed mmcv cannot work; the message carries the command that helps.
    """
    check_mmcv()
    silence_lite_warning()
    before_mmaction = dict(
        drn=stand_in_for_drn(),
        importlib_metadata=alias_importlib_metadata(),
        mmcv_bound=lift_mmcv_bound(),
    )

    # These import mmengine and torch, seconds of work: not before the quick checks have passed.
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
