"""Validation of the network that a run starts from."""

from __future__ import annotations

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner


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
