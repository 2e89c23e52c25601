"""Validations that MMEngine leaves out: of the first weights, and one that an interruption took."""

from __future__ import annotations

from typing import Any

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

META_KEY = "validated_epoch"


@HOOKS.register_module()
class InitialValidationHook(Hook):
    """Validate once before the first epoch, so that curves begin where training does.

    MMEngine validates after epochs only. A resumed run has this value in its first part.
    """

    # After the hooks that prepare themselves for training.
    priority = "VERY_LOW"

    def before_train(self, runner: Runner) -> None:
        """Run the validation loop, if there is one and no epoch has been trained."""
        if runner.epoch == 0 and runner.val_loop is not None:
            runner.val_loop.run()
            runner.model.train()


@HOOKS.register_module()
class MissedValidationHook(Hook):
    """Validate first, if the checkpoint that is resumed ends an epoch that was to be validated.

    MMEngine saves an epoch before it validates it and resumes after both. A run that is killed
    in between would never validate that epoch; of its last epoch, it would never report the
    result. It belongs into ``default_hooks``.
    """

    # After CheckpointHook, which needs to be ready to keep the best.
    priority = "LOWEST"

    def __init__(self) -> None:
        self._validated: int | None = None
        self._is_resumed = False

    def before_val_epoch(self, runner: Runner) -> None:
        """Remember the epoch."""
        # Not in after_val_epoch, in which CheckpointHook has saved the epoch again by then, if it
        # is the best. Nothing is saved between the two.
        self._validated = runner.epoch

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Say in the checkpoint which epoch was validated last."""
        checkpoint.setdefault("meta", {})[META_KEY] = self._validated

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Read it."""
        if runner._resume:
            self._is_resumed = True
            self._validated = checkpoint.get("meta", {}).get(META_KEY)

    def before_train(self, runner: Runner) -> None:
        """Make up for it."""
        loop = runner.train_loop
        if not self._is_resumed or not isinstance(loop, EpochBasedTrainLoop):
            return
        self._is_resumed = False
        loop._decide_current_val_interval()
        due = runner.epoch >= loop.val_begin and (
            runner.epoch % loop.val_interval == 0 or runner.epoch == loop.max_epochs
        )
        if runner.val_loop is not None and due and self._validated != runner.epoch:
            runner.logger.info(f"Validating epoch {runner.epoch}, as its run had not.")
            runner.val_loop.run()
