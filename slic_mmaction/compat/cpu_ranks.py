"""Several CPU processes under ``launcher='pytorch'`` or ``'slurm'``.

mmengine 0.10.7 assumes that a rank has a GPU: it calls ``torch.cuda.set_device``, starts ``nccl``
and passes device numbers to ``DistributedDataParallel``. Each of the three fails without a GPU, so
a distributed run cannot be tried on a laptop or in CI.
"""

from __future__ import annotations

import atexit
import functools
import logging
import os
import subprocess
import weakref
from typing import Any

import torch.distributed
from mmengine.device import get_device
from mmengine.dist import utils as dist_utils
from mmengine.logging import print_log
from mmengine.model import is_model_wrapper, revert_sync_batchnorm
from mmengine.registry import MODEL_WRAPPERS
from mmengine.runner import Runner
from torch import nn
from torch.nn.parallel import DistributedDataParallel

_mmengine_wrap_model = Runner.wrap_model
_WRAPPERS: weakref.WeakSet[DistributedDataParallel] = weakref.WeakSet()


def repair_cpu_ranks() -> bool:
    """Let the Runner start and wrap models on ranks without an accelerator.

    The repair is skipped if mmengine finds a GPU or another accelerator.
    """
    if get_device() != "cpu":
        return False
    dist_utils._init_dist_pytorch = init_gloo
    dist_utils._init_dist_slurm = init_gloo_under_slurm
    Runner.wrap_model = wrap_model
    return True


def init_gloo(backend: str, init_backend: str = "torch", **kwargs: Any) -> None:
    """Start the process group of CPU ranks with gloo, instead of the function in mmengine."""
    # Its functions have the process group as a default. If DistributedDataParallel imported it
    # after the start, it would keep the group and gloo's threads (see _end_process_group).
    import torch.distributed.nn

    torch.distributed.init_process_group("gloo" if backend == "nccl" else backend, **kwargs)
    atexit.register(_end_process_group)


def init_gloo_under_slurm(backend: str, port: int | None = None, **kwargs: Any) -> None:
    """Call :func:`init_gloo` for tasks of ``srun``, with the step's first machine as master.

    MASTER_ADDR and MASTER_PORT (by default 29500), or ``port``, override this.
    """
    for name, slurm_name in (
        ("RANK", "SLURM_PROCID"),
        ("LOCAL_RANK", "SLURM_LOCALID"),
        ("WORLD_SIZE", "SLURM_NTASKS"),
    ):
        os.environ[name] = os.environ[slurm_name]
    if "MASTER_ADDR" not in os.environ:
        command = ["scontrol", "show", "hostnames", os.environ["SLURM_NODELIST"]]
        names = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        os.environ["MASTER_ADDR"] = names.split()[0]
    if port is not None:
        os.environ["MASTER_PORT"] = str(port)
    os.environ.setdefault("MASTER_PORT", "29500")
    init_gloo(backend, **kwargs)


def _end_process_group() -> None:
    """Stop gloo's threads, which would abort some finished runs at exit (signal 6).

    They end when the last reference to the process group is gone, which a wrapper's reducer has.
    """
    for wrapper in _WRAPPERS:
        for holder in ("reducer", "logger", "process_group"):
            setattr(wrapper, holder, None)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


@functools.wraps(_mmengine_wrap_model)
def wrap_model(
    runner: Runner, model_wrapper_cfg: dict[str, Any] | None, model: nn.Module
) -> nn.Module:
    """Wrap a model without device numbers, and with BatchNorm instead of SyncBatchNorm.

    ``device_ids`` of the config are used. A run of one process is left to mmengine.
    """
    if not runner.distributed or is_model_wrapper(model):
        return _mmengine_wrap_model(runner, model_wrapper_cfg, model)

    wanted = runner.cfg.get("sync_bn") is not None
    if wanted or any(isinstance(module, nn.SyncBatchNorm) for module in model.modules()):
        runner.cfg.sync_bn = None
        told = "SyncBatchNorm needs GPUs: these CPU ranks use BatchNorm."
        print_log(told, logger="current", level=logging.WARNING)
        model = revert_sync_batchnorm(model)
    if model_wrapper_cfg is None:  # mmengine's defaults, to which device_ids is added
        model_wrapper_cfg = dict(
            broadcast_buffers=False,
            find_unused_parameters=runner.cfg.get("find_unused_parameters", False),
        )
    wrapper = MODEL_WRAPPERS.get(model_wrapper_cfg.get("type", "MMDistributedDataParallel"))
    if wrapper is not None and issubclass(wrapper, DistributedDataParallel):
        model_wrapper_cfg = {"device_ids": None, **model_wrapper_cfg}
    wrapped = _mmengine_wrap_model(runner, model_wrapper_cfg, model)
    _WRAPPERS.update(m for m in wrapped.modules() if isinstance(m, DistributedDataParallel))
    return wrapped
