"""Training with true labels, for an upper bound; not imported by the package.

A config must import it by ``custom_imports``, so that no other run can use true labels by mistake.
"""

from __future__ import annotations

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..datasets.cluster_aware_dataset import require_cluster_aware
from ..datasets.videos import annotation_files, true_labels


@HOOKS.register_module()
class TrueLabelsUpperBoundHook(Hook):
    """Train with the TRUE labels instead of clusters: this is supervised.

    It is for one row of an ablation table, the best that clustering could reach.

    Raises:
        TypeError: If the training set is not a :class:`ClusterAwareDataset`.
        ValueError: If a training video does not have exactly one label.

    Examples:
        >>> from mmaction.registry import HOOKS
        >>> import slic_mmaction.hooks.true_labels_upper_bound  # custom_imports in a config
        >>> sorted(HOOKS.build(dict(type="TrueLabelsUpperBoundHook")).get_triggered_stages())
        ['before_train']
    """

    # After PseudoLabelHook, which restores the labels of a resumed run.
    priority = "LOW"

    def before_train(self, runner: Runner) -> None:
        """Write the true labels to the store."""
        dataset = require_cluster_aware(runner.train_dataloader, self)
        labels = true_labels(dataset.videos)
        if labels is None:
            raise ValueError(
                "TrueLabelsUpperBoundHook needs one label for every training video, but some in "
                f"{annotation_files(dataset.videos)} have none: add their labels."
            )
        dataset.store.update(labels)
        runner.logger.warning(
            "THIS RUN IS SUPERVISED: it uses true labels instead of clusters. Its results are an "
            "upper bound, not SLIC's."
        )
