"""MMEngine's Runner with readable console output."""

from __future__ import annotations

import logging
import warnings
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

from mmaction.registry import RUNNERS
from mmengine.logging import MMLogger
from mmengine.runner import Runner

from .hooks.backbone_loading_hook import BackboneLoadingHook
from .hooks.plain_report_hook import PlainReportHook

# Warnings of libraries, repeated on every rank, about which a user can do nothing.
_NOISE = ("Grad strides do not match", "`broadcast_buffers` is deprecated")


@RUNNERS.register_module()
class QuietRunner(Runner):
    """MMEngine's Runner whose console shows :class:`PlainReportHook`, warnings and errors only.

    The log file, scalars and TensorBoard are the same as with MMEngine's Runner. A config selects
    this Runner with ``runner_type="QuietRunner"``, which MMAction2's tools read.
    ``runner_type="Runner"`` restores MMEngine's console output.

    Examples:
        >>> from mmengine.config import Config
        >>> from slic_mmaction.runner import QuietRunner
        >>> runner = QuietRunner.from_cfg(Config.fromfile("slic.py"))
        >>> runner.epoch, runner.max_epochs
        (0, 2)
    """

    def build_logger(self, *args: Any, **kwargs: Any) -> MMLogger:
        """Build a logger that shows only warnings and errors on the console."""
        for beginning in _NOISE:
            warnings.filterwarnings("ignore", message=beginning)
        logger = super().build_logger(*args, **kwargs)
        for handler in logger.handlers:
            if not isinstance(handler, logging.FileHandler):
                # Ranks other than 0 show errors only.
                handler.setLevel(max(handler.level, logging.WARNING))
                handler.setFormatter(logging.Formatter("%(levelname)s: %(message)s"))
                handler.addFilter(lambda record: "deprecated" not in record.getMessage())
        return logger

    def register_hooks(self, *args: Any, **kwargs: Any) -> None:
        """Register the hooks of the config, and a :class:`PlainReportHook` if it has none."""
        super().register_hooks(*args, **kwargs)
        if not any(isinstance(hook, PlainReportHook) for hook in self.hooks):
            self.register_hook(PlainReportHook())

    def load_or_resume(self) -> None:
        """Load or resume a checkpoint, and write MMEngine's messages to the log."""
        with redirect_stdout(StringIO()) as said:
            super().load_or_resume()
        text = said.getvalue().strip()
        reported = any(isinstance(hook, BackboneLoadingHook) for hook in self.hooks)
        if text:
            level = logging.WARNING if "do not match" in text and not reported else logging.INFO
            self.logger.log(level, text)
