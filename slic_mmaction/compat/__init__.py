"""Everything that is broken in the released upstreams, and its repair.

No other part of the package knows about these defects. Each repair is made only where its
defect is present, so a repaired upstream release (or a maintained fork) is left alone. One
file, one defect:

=============================  ===================================================
``mmcv_install``               mmcv missing, installed twice, or of a refused version;
                               mmcv-lite's warning at every import
``missing_modules``            modules that upstream imports but nothing installs:
                               ``mmaction.models.localizers.drn`` (mmaction2 issue 2714),
                               and ``importlib_metadata``
``multimodal``                 text-video models that do not go with ``transformers`` 5
``installed_packages``         ``_base_ = 'mmaction::...'`` without ``pkg_resources``
``checkpoints``                checkpoints that torch >= 2.6 refuses (mmengine issue 1655)
``checkpoint_content``         a program in a checkpoint that a resumed run executes
``cpu_ranks``                  ``launcher='pytorch'`` where there is no GPU
``local_files``                checkpoints that a kill or a full disk leaves half written
``config_text``                a config laid out by yapf at every checkpoint (mmcv issue 2466)
=============================  ===================================================
"""

from __future__ import annotations

import functools

from .missing_modules import stand_in_for_missing_modules
from .mmcv_install import check_mmcv, silence_lite_warning

__all__ = ["apply"]


@functools.cache
def apply() -> tuple[str, ...]:
    """Make every repair that this installation needs; must run before mmaction is imported.

    A second call does nothing and returns what the first one returned.

    Returns:
        The names of the repairs made, in the order made; empty for a sound installation.

    Raises:
        ImportError: The installed mmcv cannot work; the message carries the command that helps.
    """
    check_mmcv()
    silence_lite_warning()
    repairs = stand_in_for_missing_modules()

    # These import mmengine and torch, seconds of work: not before the quick checks have passed.
    from .checkpoint_content import repair_checkpoint_content
    from .checkpoints import repair_checkpoint_loading
    from .config_text import repair_config_text
    from .cpu_ranks import repair_cpu_ranks
    from .installed_packages import repair_installed_packages
    from .local_files import repair_local_files
    from .multimodal import repair_multimodal

    repairs += ["multimodal"] if repair_multimodal() else []
    repairs += ["installed_packages"] if repair_installed_packages() else []
    repairs += ["checkpoints"] if repair_checkpoint_loading() else []
    repairs += ["checkpoint_content"] if repair_checkpoint_content() else []
    repairs += ["cpu_ranks"] if repair_cpu_ranks() else []
    repairs += ["local_files"] if repair_local_files() else []
    repairs += ["config_text"] if repair_config_text() else []
    return tuple(repairs)
