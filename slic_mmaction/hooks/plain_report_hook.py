"""A line for each epoch and each clustering, for people."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from statistics import fmean

import numpy as np
from mmaction.registry import HOOKS
from mmengine.dist import is_main_process, master_only
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from ..clustering.quality import cluster_stability
from ..datasets.cluster_aware_dataset import require_cluster_aware

_PATIENCE = 0.2  # share of all epochs, at least five, after which a standstill is said
_BETTER = 0.005  # of the loss, by which an epoch is better than those before


@HOOKS.register_module()
class PlainReportHook(Hook):
    """Print how a training without labels is doing: clusters, loss, spread, and the time left.

    The spread is one minus the mean cosine between the embeddings of different videos of a batch:
    0 if all are alike, about 1 if they point everywhere. When the loss has not fallen for a fifth
    of all epochs, one sentence says so: more epochs will hardly help.

    Examples:
        >>> from mmaction.registry import HOOKS
        >>> custom_hooks = [dict(type="PlainReportHook")]  # in a config
        >>> "after_train_epoch" in HOOKS.build(custom_hooks[0]).get_triggered_stages()
        True
    """

    priority = "VERY_LOW"

    def before_train(self, runner: Runner) -> None:
        """Begin to measure time."""
        self._store = require_cluster_aware(runner.train_dataloader, self).store
        self._labels: np.ndarray | None = None
        self._losses: list[float] = []
        self._said = False
        self._begin, self._first = time.monotonic(), runner.epoch

    @master_only
    def before_train_epoch(self, runner: Runner) -> None:
        """Report new clusters."""
        self._sums: dict[str, list[Tensor]] = {"loss": [], "mean_cosine": [], "violating_share": []}
        labels = self._store.labels.numpy().copy()
        before, self._labels = self._labels, labels
        if before is not None and np.array_equal(before, labels):
            return
        sizes = Counter(labels[labels >= 0].tolist())
        if len(sizes) == len(labels):
            return  # every video is its own
        line = (
            f"clusters: {len(sizes)} of {len(labels)} videos, the largest of "
            f"{max(sizes.values(), default=0)}"
        )
        if before is not None:
            stability = cluster_stability(before, labels)
            line += f"; agreement with the clusters before: {stability:.2f} of 1"
        print(line, flush=True)

    def after_train_iter(
        self,
        runner: Runner,
        batch_idx: int,
        data_batch: dict | None = None,
        outputs: dict | None = None,
    ) -> None:
        """Note the figures of a step."""
        if is_main_process():
            for name, values in self._sums.items():
                if outputs and name in outputs:
                    values.append(outputs[name].detach())

    @master_only
    def after_train_epoch(self, runner: Runner) -> None:
        """Report the epoch."""
        means = {name: fmean(map(float, values)) for name, values in self._sums.items() if values}
        epoch = runner.epoch + 1
        done = epoch - self._first
        each = (time.monotonic() - self._begin) / done
        left = each * (runner.max_epochs - epoch)
        spread = f", spread {1 - means['mean_cosine']:.2f}" if "mean_cosine" in means else ""
        print(
            f"epoch {epoch} of {runner.max_epochs}: loss {means.get('loss', float('nan')):.4f}"
            f"{spread}, {each:.0f} s an epoch, {_time(left)} left",
            flush=True,
        )
        # A triplet loss is a mean over violating negatives only: of all, fewer and fewer are.
        self._losses.append(means.get("loss", float("inf")) * means.get("violating_share", 1.0))
        patience = standstill(self._losses, runner.max_epochs)
        if patience and not self._said:
            self._said = True
            print(
                f"The loss has not fallen for {patience} epochs: it has probably converged, and "
                "more epochs will hardly help.",
                flush=True,
            )


def standstill(losses: Sequence[float], max_epochs: int) -> int:
    """For how many epochs the losses of all epochs so far have not fallen; 0 if they still fall.

    The number is a fifth of all epochs, at least five.
    """
    patience = max(5, round(_PATIENCE * max_epochs))
    best_before = min(losses[:-patience], default=float("inf"))
    return patience if min(losses[-patience:]) > (1 - _BETTER) * best_before else 0


def _time(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min" if minutes else "under 1 min"
