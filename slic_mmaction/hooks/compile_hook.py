"""Compilation of a training's backbone by torch.compile."""

from __future__ import annotations

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner


@HOOKS.register_module()
class CompileBackboneHook(Hook):
    """Compile the backbone with ``torch.compile`` before training.

    MMEngine's ``compile=True`` compiles a whole step, with its augmentation, mining and random
    numbers. Here only the backbone is compiled, where nearly all of the time is spent. Weights,
    checkpoints and their names stay the same; results are equal up to rounding. A shape of a batch
    that is new (of the clustering, the last one of an evaluation) is compiled when it comes.

    Args:
        backend: Compiler of ``torch.compile``. Its default, ``'inductor'``, needs a C++ compiler.

    Examples:
        >>> from mmaction.registry import HOOKS
        >>> custom_hooks = [dict(type="CompileBackboneHook")]  # in a config
        >>> HOOKS.build(custom_hooks[0]).backend
        'inductor'
    """

    def __init__(self, backend: str = "inductor") -> None:
        self.backend = backend

    def before_train(self, runner: Runner) -> None:
        """Compile the backbone."""
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        model.backbone.compile(backend=self.backend)
