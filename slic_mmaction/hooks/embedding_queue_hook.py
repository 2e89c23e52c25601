"""The hook that tells embedding queues which pseudo-labels are in force."""

from __future__ import annotations

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..datasets.cluster_aware_dataset import require_cluster_aware
from ..losses.embedding_queue import EmbeddingQueue


@HOOKS.register_module()
class EmbeddingQueueHook(Hook):
    """Show the epoch's pseudo-labels to every :class:`EmbeddingQueue` of the model.

    A queue empties itself when they are not those it was filled under.

    Raises:
        TypeError: If the training set is not a :class:`ClusterAwareDataset`.
        ValueError: If the model has no embedding queue.
    """

    # After PseudoLabelHook, which clusters before an epoch.
    priority = "BELOW_NORMAL"

    def before_train(self, runner: Runner) -> None:
        """Check the training set and find the queues."""
        self._store = require_cluster_aware(runner.train_dataloader, self).store
        self._queues = [m for m in runner.model.modules() if isinstance(m, EmbeddingQueue)]
        if not self._queues:
            raise ValueError(
                "EmbeddingQueueHook found no embedding queue in the model: give a loss of "
                "model.cls_head.losses a queue_size, or leave out the hook."
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Give the loss the labels, after they may have changed."""
        for queue in self._queues:
            queue.use_labels(self._store.labels)
