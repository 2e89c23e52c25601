"""Readable console output of trainings and tests."""

from __future__ import annotations

import shlex
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np
import torch
from mmaction.registry import HOOKS
from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.runner import BaseLoop, Runner
from torch import Tensor

from ..clustering.quality import cluster_stability
from ..datasets.cluster_aware_dataset import ClusterAwareDataset
from ..datasets.label_store import PseudoLabelStore
from ..datasets.videos import data_folder
from ..evaluation.records import evaluation_of
from ..evaluation.results import results_of, results_table
from ..progress import SLOW_INTERVAL, duration, progress_bar

_PATIENCE = 0.2  # share of all epochs without a lower loss before a message
_FIGURES = 2  # number of figures in the line of a validation
_BETTER = 0.005  # smallest relative decrease of the loss that counts


@HOOKS.register_module()
class PlainReportHook(Hook):
    """Print the progress of a run: a line for each epoch and clustering, and tables of results.

    The first lines show the config, the device and the path of the log. The last lines show the
    checkpoint and a command to run next. Within an epoch there is a progress bar, or a line per
    minute if the output is piped. :class:`QuietRunner` adds this hook.

    The spread is one minus the mean cosine between the embeddings of different videos of a batch.
    It is 0 if all embeddings are equal, and about 1 if they point in all directions. If the loss
    of a pretraining has not fallen for a fifth of all epochs, the hook prints that more epochs
    will hardly help.

    Examples:
        >>> from mmaction.registry import HOOKS
        >>> custom_hooks = [dict(type="PlainReportHook")]  # in a config without QuietRunner
        >>> HOOKS.build(custom_hooks[0]).priority
        'LOW'
    """

    # After the clustering and the record, before InitialValidationHook.
    priority = "LOW"

    def __init__(self) -> None:
        self._bars = ExitStack()
        self._advance: Callable[[], None] | None = None

    @master_only
    def before_train(self, runner: Runner) -> None:
        """Print the config and the size of the training, and start to measure time."""
        dataset = runner.train_dataloader.dataset
        self._store: PseudoLabelStore | None = None
        if isinstance(dataset, ClusterAwareDataset):
            self._store = dataset.store
        self._labels: np.ndarray | None = None
        self._losses: list[float] = []
        self._said = False
        self._begin, self._first = time.monotonic(), runner.epoch
        steps = runner.max_iters // runner.max_epochs
        length = f"{_count(runner.max_epochs, 'epoch')} of {_count(steps, 'step')}"
        _say_what("training", runner, f"{_count(len(dataset), 'video')}, {length}")
        if runner.epoch:
            _say(f"continuing after epoch {runner.epoch}")
        elif runner._resume:
            _say(f"nothing to resume in {_shown(runner.work_dir)}: starting with epoch 1")

    @master_only
    def before_train_epoch(self, runner: Runner) -> None:
        """Report new clusters."""
        names = ("loss", "mean_cosine", "violating_share", "top1_acc")
        self._sums: dict[str, list[Tensor]] = {name: [] for name in names}
        if self._store is None:
            return
        labels = self._store.labels.numpy().copy()
        sizes = Counter(labels[labels >= 0].tolist())
        if len(sizes) == len(labels):
            return  # every video is a cluster of its own
        before, self._labels = self._labels, labels
        if before is not None and np.array_equal(before, labels):
            return
        line = (
            f"clusters: {len(sizes)} of {len(labels)} videos, the largest of "
            f"{max(sizes.values(), default=0)}"
        )
        if before is not None:
            stability = cluster_stability(before, labels)
            line += f"; agreement with the clusters before: {stability:.2f} of 1"
        _say(line)

    @master_only
    def after_train_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: dict | None = None
    ) -> None:
        """Collect the figures of an iteration."""
        for name, values in self._sums.items():
            if outputs and name in outputs:
                values.append(outputs[name].detach())
        steps = runner.max_iters // runner.max_epochs
        # A loop by iterations is a single epoch with validations in between.
        self._count_step(f"epoch {runner.epoch + 1}", steps - runner.iter % steps)

    @master_only
    def after_train_epoch(self, runner: Runner) -> None:
        """Print the loss and other figures of the epoch."""
        self._end_bar()
        means = {name: fmean(map(float, values)) for name, values in self._sums.items() if values}
        epoch = runner.epoch + 1
        each = (time.monotonic() - self._begin) / (epoch - self._first)
        words = [f"epoch {epoch} of {runner.max_epochs}: loss {means.get('loss', np.nan):.4f}"]
        if "mean_cosine" in means:
            words.append(f"spread {1 - means['mean_cosine']:.2f}")
        if "top1_acc" in means:
            words.append(f"training accuracy {100 * means['top1_acc']:.1f} %")
        words.append(f"{duration(each)} an epoch")
        if epoch < runner.max_epochs:
            words.append(f"{duration(each * (runner.max_epochs - epoch))} left")
        _say(", ".join(words))
        if self._store is None:
            return  # the learning rate of a classifier may still be reduced
        # The triplet loss is a mean over violating negatives only, and their share falls.
        self._losses.append(means.get("loss", float("inf")) * means.get("violating_share", 1.0))
        patience = standstill(self._losses, runner.max_epochs)
        if patience and not self._said:
            self._said = True
            _say(
                f"The loss has not fallen for {patience} epochs: it has probably converged, and "
                "more epochs will hardly help."
            )

    @master_only
    def after_train(self, runner: Runner) -> None:
        """Print the checkpoint and a command to run next."""
        saved = Path(runner.work_dir, "last_checkpoint")
        if not saved.is_file():
            return
        last = saved.read_text().strip()
        _say(f"checkpoint: {_shown(last)}")
        config = runner.cfg.filename
        if Path(sys.argv[0]).name != "train.py" or config is None:
            return  # the calling program prints its own next command
        if runner.cfg.get("test_evaluator"):
            command = ["python", "tools/test.py", _shown(config), _shown(last)]
        elif self._store is not None:
            work_dir = _shown(runner.work_dir)
            folder = data_folder(runner.train_dataloader.dataset.videos) or "FOLDER"
            command = ["slic", "index", folder, "--with", work_dir, "--out", f"{work_dir}/index"]
        else:
            return
        _say(f"next: {shlex.join(command)}")

    @master_only
    def before_test(self, runner: Runner) -> None:
        """Print the config and the number of videos of the test."""
        _say_what("test", runner, _count(len(runner.test_dataloader.dataset), "video"))

    @master_only
    def before_val_epoch(self, runner: Runner) -> None:
        """End the bar of a training before a validation."""
        self._end_bar()

    @master_only
    def after_val_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Show the progress of a validation."""
        self._count_step("validation", len(runner.val_dataloader))

    @master_only
    def after_test_iter(
        self, runner: Runner, batch_idx: int, data_batch: Any = None, outputs: Any = None
    ) -> None:
        """Show the progress of a test."""
        self._count_step("test", len(runner.test_dataloader))

    @master_only
    def after_val_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Print results of a validation: a line, or a table at the end of a training."""
        self._end_bar()
        record = evaluation_of(runner, "val", metrics or {})
        # runner.epoch would build the training of a Runner that only validates.
        is_training = isinstance(runner._train_loop, BaseLoop) and runner.iter < runner.max_iters
        if is_training:
            moment = f"after step {runner.iter}" if runner.iter else "before the first epoch"
            moment = f"after epoch {runner.epoch}" if runner.epoch else moment
            first = islice(results_of(record), _FIGURES)
            _say(f"validation {moment}: {', '.join(map(str, first))}")
        else:
            _say(results_table(record))

    @master_only
    def after_test_epoch(self, runner: Runner, metrics: dict[str, float] | None = None) -> None:
        """Print the results of a test."""
        self._end_bar()
        _say(results_table(evaluation_of(runner, "test", metrics or {})))

    def _count_step(self, doing: str, total: int) -> None:
        if self._advance is None:
            bar = progress_bar(doing, total, SLOW_INTERVAL)
            self._advance = self._bars.enter_context(bar)
        self._advance()

    def _end_bar(self) -> None:
        self._bars.close()
        self._advance = None


def standstill(losses: Sequence[float], max_epochs: int) -> int:
    """Return the number of last epochs in which the losses have not fallen, or 0 if they fall.

    The number is a fifth of all epochs, but at least five.
    """
    patience = max(5, round(_PATIENCE * max_epochs))
    best_before = min(losses[:-patience], default=float("inf"))
    return patience if min(losses[-patience:]) > (1 - _BETTER) * best_before else 0


def _say(text: str) -> None:
    print(text, flush=True)


def _say_what(doing: str, runner: Runner, size: str) -> None:
    config = runner.cfg.filename
    named = f"{_shown(config)}, " if config else ""
    _say(f"{doing}: {named}{size}, on {_device(runner)}")
    _say(f"log: {_shown(Path(runner.log_dir, f'{runner.timestamp}.log'))}")
    if runner._load_from:
        _say(f"weights: {runner._load_from}")


def _device(runner: Runner) -> str:
    kind = next(runner.model.parameters()).device.type
    if kind == "cuda":
        return f"{_count(runner.world_size, 'GPU')} ({torch.cuda.get_device_name()})"
    name = "CPU" if kind == "cpu" else kind
    return f"the {name}" if runner.world_size == 1 else f"{runner.world_size} {name} processes"


def _shown(path: str | Path) -> str:
    """Return a path, relative to the current folder if it lies inside."""
    whole, here = Path(path).absolute(), Path.cwd()
    return str(whole.relative_to(here) if whole.is_relative_to(here) else whole)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
