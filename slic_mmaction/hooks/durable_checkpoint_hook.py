"""Checkpoints of which there is always one to resume from."""

from __future__ import annotations

from collections import deque
from pathlib import Path
from typing import Any

from mmaction.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.logging import MessageHub
from mmengine.runner import Runner

from ..durable_file import durable_file

# In the message hub, which travels in checkpoints: best ones that have a successor.
OUTDATED_BEST = "outdated_best"


@HOOKS.register_module()
class DurableCheckpointHook(CheckpointHook):
    """MMEngine's hook, in an order in which a kill or a full disk at any moment loses nothing.

    MMEngine 0.10.7 removes the oldest checkpoint before it writes the new one, removes the
    best before its successor, and writes ``last_checkpoint`` in place: with
    ``max_keep_ckpts=1`` there are moments without any checkpoint. Here the new one is written
    first, then ``last_checkpoint`` names it, then old ones go. So the disk holds one
    checkpoint more than ``max_keep_ckpts`` for a moment. If the run is killed before the
    removal, its resumed self removes it.

    Arguments are those of ``mmengine.hooks.CheckpointHook``.
    """

    # Made by MMEngine before training.
    keep_ckpt_ids: deque[int]
    file_backend: Any

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        limited = self.max_keep_ckpts > 0
        if limited:
            kept = [*(known for known in self.keep_ckpt_ids if known != step), step]
            # With what is about to be removed: a run resumed from this checkpoint does that.
            runner.message_hub.update_info("keep_ckpt_ids", kept)
        self.last_ckpt = self._path(step)
        runner.message_hub.update_info("last_ckpt", self.last_ckpt)
        runner.save_checkpoint(
            self.out_dir,
            self.filename_tmpl.format(step),
            self.file_client_args,
            save_optimizer=self.save_optimizer,
            save_param_scheduler=self.save_param_scheduler,
            meta=meta,
            by_epoch=self.by_epoch,
            backend_args=self.backend_args,
            **self.args,
        )
        if is_main_process():
            with durable_file(Path(runner.work_dir) / "last_checkpoint") as file:
                file.write(str(self.last_ckpt).encode())
        if limited:
            for old in kept[: -self.max_keep_ckpts]:
                _remove(self.file_backend, self._path(old))
            self.keep_ckpt_ids = deque(kept[-self.max_keep_ckpts :], self.max_keep_ckpts)

    def before_train(self, runner: Runner) -> None:
        """Also remove the best checkpoint that a killed run was about to."""
        super().before_train(runner)
        self._remove_outdated_best(runner.message_hub)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, Any]) -> None:
        backend = self.file_backend
        self.file_backend = _RemovesLater(backend, runner.message_hub)
        super()._save_best_checkpoint(runner, metrics)
        self.file_backend = backend
        self._remove_outdated_best(runner.message_hub)

    def _remove_outdated_best(self, message_hub: MessageHub) -> None:
        best = {getattr(self, "best_ckpt_path", None)}
        best.update(getattr(self, "best_ckpt_path_dict", {}).values())
        for path in message_hub.runtime_info.get(OUTDATED_BEST, []):
            if path not in best:
                _remove(self.file_backend, path)
        message_hub.update_info(OUTDATED_BEST, [])

    def _path(self, step: int) -> str:
        return self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(step))


def _remove(backend: Any, path: str) -> None:
    if not is_main_process():
        return
    if backend.isfile(path):
        backend.remove(path)
    elif backend.isdir(path):  # DeepSpeed's are folders
        backend.rmtree(path)


class _RemovesLater:
    """A file backend that takes down what it is told to remove, where checkpoints keep it."""

    def __init__(self, backend: Any, message_hub: MessageHub) -> None:
        self._backend = backend
        self._message_hub = message_hub

    def remove(self, path: str) -> None:
        outdated = self._message_hub.runtime_info.get(OUTDATED_BEST, [])
        self._message_hub.update_info(OUTDATED_BEST, [*outdated, path])

    rmtree = remove

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)
