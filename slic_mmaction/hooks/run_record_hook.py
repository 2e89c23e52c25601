"""The record of a run: experiment, seed, code, and the origin of its initial weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from mmaction.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..evaluation.records import (
    RUN_RECORD,
    code_version,
    experiment_name,
    training_family,
    training_hash,
    write_evaluation,
    write_json,
)

META_KEY = "run_record"


@HOOKS.register_module()
class RunRecordHook(Hook):
    """Write ``run_record.json`` beside the log, and add it to every checkpoint.

    After a validation or test, ``evaluation.json`` records the origin of its figures.
    ``tools/analysis/results.py`` reads both files. A run that loads weights keeps the record of
    their run as its ``origin``, so that an evaluation has the pretraining, its seed and its code.
    The hook must be in ``default_hooks``.

    Examples:
        >>> from mmaction.registry import HOOKS
        >>> default_hooks = dict(run_record=dict(type="RunRecordHook"))  # in a config
        >>> HOOKS.build(default_hooks["run_record"]).record  # filled by a run
        {}
    """

    def __init__(self) -> None:
        self.record: dict[str, Any] = {}

    def before_run(self, runner: Runner) -> None:
        """Write the record, before any checkpoint is loaded."""
        if self.record:
            return  # a test after the training
        self.record = dict(
            name=experiment_name(runner.cfg.filename, runner.experiment_name),
            config_hash=training_hash(runner.cfg),
            family=training_family(runner.cfg),
            seed=runner.seed,
            commit=code_version(),
            world_size=runner.world_size,
            origin=None,
        )
        self._write(runner)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Add the origin of the weights to the record."""
        meta = checkpoint.get("meta", {})
        if runner._resume:
            # The same run continues, with the same origin.
            self.record["origin"] = meta.get(META_KEY, {}).get("origin")
            self.record["seed"] = meta.get("seed", self.record["seed"])
        else:
            file = runner._load_from
            unnamed = dict(name="/".join(Path(str(file)).parts[-2:]), seed=meta.get("seed"))
            known = meta.get(META_KEY, unnamed)
            self.record["origin"] = dict(known, file=str(file), epoch=meta.get("epoch"))
        self._write(runner)

    @master_only
    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Record the origin of a validation's figures."""
        write_evaluation(runner, "val", metrics or {})

    @master_only
    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Record the origin of a test's figures."""
        write_evaluation(runner, "test", metrics or {})

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Add the record to the checkpoint."""
        checkpoint.setdefault("meta", {})[META_KEY] = self.record

    @master_only
    def _write(self, runner: Runner) -> None:
        write_json(Path(runner.log_dir) / RUN_RECORD, self.record)
