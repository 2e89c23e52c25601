"""The record of a run: experiment, seed, code, and the run whose weights it began with."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from mmaction.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..durable_file import durable_file
from ..results import provenance

META_KEY = "run_record"


@HOOKS.register_module()
class RunRecordHook(Hook):
    """Write ``run_record.json`` beside the log, and put it into every checkpoint.

    ``tools/analysis/results.py`` reads it. A run that loads weights keeps their run's record
    as its ``origin``, so an evaluation knows which pretraining, seed and code it judges. It
    belongs into ``default_hooks``.
    """

    def __init__(self) -> None:
        self.record: dict[str, Any] = {}

    def before_run(self, runner: Runner) -> None:
        """Write what is known before anything is loaded."""
        self.record = dict(
            name=provenance.experiment_name(runner.cfg.filename, runner.experiment_name),
            config_hash=provenance.config_hash(runner.cfg),
            family=provenance.config_family(runner.cfg),
            seed=runner.seed,
            commit=provenance.code_version(),
            world_size=runner.world_size,
            origin=None,
        )
        self._write(runner)

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Note whose weights these are."""
        meta = checkpoint.get("meta", {})
        if runner._resume:
            # The same run goes on, with the origin that it had.
            self.record["origin"] = meta.get(META_KEY, {}).get("origin")
            self.record["seed"] = meta.get("seed", self.record["seed"])
        else:
            file = runner._load_from
            unnamed = dict(name="/".join(Path(str(file)).parts[-2:]), seed=meta.get("seed"))
            known = meta.get(META_KEY, unnamed)
            self.record["origin"] = dict(known, file=str(file), epoch=meta.get("epoch"))
        self._write(runner)

    def before_test(self, runner: Runner) -> None:
        """Note how many videos are tested."""
        self.record["test_videos"] = len(runner.test_dataloader.dataset)
        self._write(runner)

    def before_val(self, runner: Runner) -> None:
        """Note how many videos are validated."""
        self.record["val_videos"] = len(runner.val_dataloader.dataset)
        self._write(runner)

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        """Put the record into the checkpoint."""
        checkpoint.setdefault("meta", {})[META_KEY] = self.record

    @master_only
    def _write(self, runner: Runner) -> None:
        with durable_file(Path(runner.log_dir) / provenance.FILE_NAME) as file:
            file.write((json.dumps(self.record, indent=1) + "\n").encode())
