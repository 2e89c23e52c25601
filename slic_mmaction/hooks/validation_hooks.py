"""Validations that MMEngine skips: of the initial weights, and after an interruption."""

from __future__ import annotations

from typing import Any

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

META_KEY = "validated_epoch"


@HOOKS.register_module()
class InitialValidationHook(Hook):
    """Validate the initial weights before the first epoch.

    MMEngine validates after epochs only. With this hook, curves begin at epoch 0.

    Examples:
        >>> from mmaction.registry import HOOKS
        >>> custom_hooks = [dict(type="InitialValidationHook")]  # in a config
        >>> sorted(HOOKS.build(custom_hooks[0]).get_triggered_stages())
        ['before_train']
    """

    # After the hooks that prepare for training.
    priority = "VERY_LOW"

    def before_train(self, runner: Runner) -> None:
        """Run the validation loop, if there is one and no epoch has been trained."""
        if runner.epoch == 0 and runner.val_loop is not None:
            runner.val_loop.run()
            runner.model.train()


@HOOKS.register_module()
class MissedValidationHook(Hook):
    """Validate the resumed checkpoint if its run was interrupted before it did.

    MMEngine saves a checkpoint before it validates it, and resumes after both. A run that is
    killed in between would never validate that epoch, nor report the result of a last epoch. The
    hook must be in ``default_hooks``.

    Examples:
        >>> from mmaction.registry import HOOKS
        >>> default_hooks = dict(missed_validation=dict(type="MissedValidationHook"))  # in a config
        >>> sorted(HOOKS.build(default_hooks["missed_validation"]).get_triggered_stages())
        ['after_load_checkpoint', 'before_save_checkpoint', 'before_train', 'before_val_epoch']
    """

    # After CheckpointHook, which must be ready to save the best checkpoint.
    priority = "LOWEST"

    def __init__(self) -> None:
        self._validated: int | None = None
        self._is_resumed = False

    def before_val_epoch(self, runner: Runner) -> None:
        """Note the epoch for the next checkpoint."""
        # In after_val_epoch, CheckpointHook may already have saved the epoch as the best one.
        self._validated = runner.epoch

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Add the last validated epoch to the checkpoint."""
        checkpoint.setdefault("meta", {})[META_KEY] = self._validated

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Read the last validated epoch from a resumed checkpoint."""
        if runner._resume:
            self._is_resumed = True
            self._validated = checkpoint.get("meta", {}).get(META_KEY)

    def before_train(self, runner: Runner) -> None:
        """Run the missed validation."""
        loop = runner.train_loop
        if not self._is_resumed or not isinstance(loop, EpochBasedTrainLoop):
            return
        self._is_resumed = False
        loop._decide_current_val_interval()
        due = runner.epoch >= loop.val_begin and (
            runner.epoch % loop.val_interval == 0 or runner.epoch == loop.max_epochs
        )
        if runner.val_loop is not None and due and self._validated != runner.epoch:
            runner.logger.info(f"Validating epoch {runner.epoch}, which the stopped run missed.")
            runner.val_loop.run()
