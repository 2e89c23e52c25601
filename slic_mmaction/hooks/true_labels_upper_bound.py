"""Supervised pseudo-labels, for an upper bound; not imported by the package.

A config that wants it says so in ``custom_imports``. Nothing else does, so no other run can
reach true labels by a slip of a name.
"""

from __future__ import annotations

from mmaction.registry import HOOKS
from mmengine.hooks import Hook
from mmengine.runner import Runner

from ..datasets.cluster_aware_dataset import require_cluster_aware
from ..datasets.videos import annotation_files, true_labels


@HOOKS.register_module()
class TrueLabelsUpperBoundHook(Hook):
    """Give the TRUE labels to the training instead of clusters: this is supervised.

    For one row of an ablation table: what clustering could reach at best.

    Raises:
        TypeError: If the training set is not a :class:`ClusterAwareDataset`.
        ValueError: If a training video has no single label.
    """

    # After PseudoLabelHook, which puts back the labels of a resumed run.
    priority = "LOW"

    def before_train(self, runner: Runner) -> None:
        """Write the true labels into the store."""
        dataset = require_cluster_aware(runner.train_dataloader, self)
        labels = true_labels(dataset.videos)
        if labels is None:
            raise ValueError(
                "TrueLabelsUpperBoundHook needs one label for every training video, but some in "
                f"{annotation_files(dataset.videos)} have none."
            )
        dataset.store.update(labels)
        runner.logger.warning(
            "THIS RUN IS SUPERVISED: true labels take the place of clusters. Its figures are an "
            "upper bound, not SLIC's."
        )
