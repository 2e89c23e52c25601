"""Saving checkpoints so that one to resume from always exists."""

from __future__ import annotations

import errno
import fcntl
import os
import os.path as osp
import re
import socket
from collections import deque
from pathlib import Path
from typing import IO, Any, ClassVar

from mmaction.registry import HOOKS
from mmengine.dist import is_main_process
from mmengine.hooks import CheckpointHook
from mmengine.runner import Runner

from ..durable_file import durable_file


@HOOKS.register_module()
class DurableCheckpointHook(CheckpointHook):
    """MMEngine's ``CheckpointHook``, safe against a kill or a full disk at any moment.

    MMEngine 0.10.7 removes the oldest and the best checkpoint before it writes the next one, so
    with ``max_keep_ckpts=1`` there are moments without any. This hook writes the new checkpoint
    first, then its name to ``last_checkpoint``, and then removes old ones. For a moment there is
    one more on the disk. If the run is killed before the removal, the resumed run removes it.

    MMEngine also removes any file or folder that a resumed checkpoint names as the previous best.
    This hook only removes files of this run (``epoch_N.pth``, ``best_KEY_epoch_N.pth``) in its own
    folder, and never a folder.

    The folder is locked while a run writes into it: a second training there is refused.

    The arguments are those of ``mmengine.hooks.CheckpointHook``. For ``save_best`` a larger R@k is
    better by default.

    Raises:
        RuntimeError: If another process trains in the same folder.

    Examples:
        >>> from mmaction.registry import HOOKS
        >>> checkpoint = dict(type="DurableCheckpointHook", interval=5, save_best="retrieval/R@1")
        >>> default_hooks = dict(checkpoint=checkpoint)  # in a config
        >>> HOOKS.build(default_hooks["checkpoint"]).rules
        ['greater']
    """

    _default_greater_keys: ClassVar = [*CheckpointHook._default_greater_keys, "R@"]

    # Set by MMEngine before training.
    keep_ckpt_ids: deque[int]
    file_backend: Any
    _lock: IO[str] | None = None

    def before_train(self, runner: Runner) -> None:
        """Lock the folder; for a resumed run, remove what its killed predecessor did not."""
        # MMEngine would remove any path that a checkpoint has here.
        saved = runner.message_hub.runtime_info.pop("keep_ckpt_ids", [])
        super().before_train(runner)
        if is_main_process():
            self._lock_folder(Path(runner.work_dir))
        # Best checkpoints that this run has written.
        self._own_best: set[str] = set()
        if not self._continues_here(runner):
            return
        if self.max_keep_ckpts > 0:
            self._remove_oldest([step for step in saved if isinstance(step, int)])
        pattern = "best_(.+)_" + re.escape(self.filename_tmpl).replace(r"\{\}", r"(\d+)")
        newest: dict[str, tuple[int, str]] = {}
        for name in self.file_backend.list_dir_or_file(self.out_dir, list_dir=False):
            found = re.fullmatch(pattern, name)
            step = int(found[2]) if found else 0
            # A later one belongs to a part of the run that is trained again.
            if found and step <= (runner.epoch if self.by_epoch else runner.iter):
                self._own_best.add(name)
                newest[found[1]] = max(newest.get(found[1], (0, "")), (step, name))
        self._remove_best_but({name for _, name in newest.values()})

    def after_run(self, runner: Runner) -> None:
        """Unlock the folder."""
        if self._lock is not None:
            self._lock.close()

    def _lock_folder(self, folder: Path) -> None:
        # Unlike flock's, this lock is not inherited by loader workers, which may outlive the run.
        self._lock = open(folder / ".training", "a+")  # noqa: SIM115
        try:
            fcntl.lockf(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in (errno.EACCES, errno.EAGAIN):
                return  # a file system without locks
            self._lock.seek(0)
            raise RuntimeError(
                f"Another training, {self._lock.read()}, writes into {folder}: choose "
                "another --work-dir, or wait until it has ended."
            ) from None
        self._lock.truncate(0)
        self._lock.write(f"process {os.getpid()} on {socket.gethostname()}")
        self._lock.flush()

    def _save_checkpoint_with_step(self, runner: Runner, step: int, meta: dict[str, Any]) -> None:
        limited = self.max_keep_ckpts > 0
        if limited:
            kept = [*(known for known in self.keep_ckpt_ids if known != step), step]
            # This includes the checkpoint to be removed: a resumed run removes it if necessary.
            runner.message_hub.update_info("keep_ckpt_ids", kept)
        self.last_ckpt = self.file_backend.join_path(self.out_dir, self.filename_tmpl.format(step))
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
            self._remove_oldest(kept)

    def _save_best_checkpoint(self, runner: Runner, metrics: dict[str, Any]) -> None:
        before = self._best_paths()
        backend = self.file_backend
        self.file_backend = _RemovesNothing(backend)
        super()._save_best_checkpoint(runner, metrics)
        self.file_backend = backend
        best = self._best_paths()
        self._own_best |= {osp.basename(path) for path in best - before}
        self._remove_best_but({osp.basename(path) for path in best})

    def _best_paths(self) -> set[str]:
        one = getattr(self, "best_ckpt_path", None)
        return {path for path in (one, *getattr(self, "best_ckpt_path_dict", {}).values()) if path}

    def _continues_here(self, runner: Runner) -> bool:
        """Return whether this run resumes a run of the same folder."""
        if not runner._resume or not runner.iter or not self.file_backend.isdir(self.out_dir):
            return False
        checkpoint = runner._load_from  # None: the last one of the work dir
        return checkpoint is None or osp.realpath(osp.dirname(checkpoint)) == osp.realpath(
            self.out_dir
        )

    def _remove_oldest(self, steps: list[int]) -> None:
        for step in steps[: -self.max_keep_ckpts]:
            self._remove(self.filename_tmpl.format(step))
        self.keep_ckpt_ids = deque(steps[-self.max_keep_ckpts :], self.max_keep_ckpts)

    def _remove_best_but(self, kept: set[str]) -> None:
        for name in self._own_best - kept:
            self._remove(name)
        self._own_best &= kept

    def _remove(self, name: str) -> None:
        path = self.file_backend.join_path(self.out_dir, name)
        if is_main_process() and self.file_backend.isfile(path):
            self.file_backend.remove(path)


class _RemovesNothing:
    """File backend that removes nothing, used while MMEngine would remove files too early."""

    def __init__(self, backend: Any) -> None:
        self._backend = backend

    def isfile(self, path: str) -> bool:
        """Return False, so that there is nothing to remove."""
        return False

    isdir = isfile

    def __getattr__(self, name: str) -> Any:
        return getattr(self._backend, name)
