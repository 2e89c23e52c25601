"""The hook that passes the current pseudo-labels to embedding queues."""

from __future__ import annotations

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..datasets.cluster_aware_dataset import require_cluster_aware
from ..losses.embedding_queue import EmbeddingQueue


@HOOKS.register_module()
class EmbeddingQueueHook(Hook):
    """Pass the epoch's pseudo-labels to every :class:`EmbeddingQueue` of the model.

    A queue empties itself when the pseudo-labels have changed. A config whose
    ``PseudoLabelInfoNCELoss`` has a ``queue_size`` needs this hook.

    Raises:
        TypeError: If the training set is not a :class:`ClusterAwareDataset`.
        ValueError: If the model has no embedding queue.

    Examples:
        >>> from mmaction.registry import HOOKS
        >>> custom_hooks = [dict(type="EmbeddingQueueHook")]  # in a config
        >>> sorted(HOOKS.build(custom_hooks[0]).get_triggered_stages())
        ['before_train', 'before_train_epoch']
    """

    # After PseudoLabelHook, which clusters before an epoch.
    priority = "BELOW_NORMAL"

    def before_train(self, runner: Runner) -> None:
        """Check the training set and find the queues."""
        self._store = require_cluster_aware(runner.train_dataloader, self).store
        self._queues = [m for m in runner.model.modules() if isinstance(m, EmbeddingQueue)]
        if not self._queues:
            raise ValueError(
                "EmbeddingQueueHook found no embedding queue in the model: set the queue_size of a "
                "loss in model.cls_head.losses, or remove the hook."
            )

    def before_train_epoch(self, runner: Runner) -> None:
        """Pass the labels, which may have changed, to the queues."""
        for queue in self._queues:
            queue.use_labels(self._store.labels)
