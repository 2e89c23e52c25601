"""The hook that clusters the training videos while a model is trained."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from mmaction.registry import HOOKS, TASK_UTILS
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import Runner
from torch import Tensor

from ..clustering.all_ranks import Clusterer
from ..datasets.cluster_aware_dataset import require_cluster_aware
from ..datasets.videos import data_folder, true_labels, video_name
from ..pseudo_labels.descriptors import descriptors_of
from ..pseudo_labels.embedding import embedding_loader, embedding_model
from ..pseudo_labels.labelling import label_videos
from ..pseudo_labels.report import clustering_report, save_labels
from ..pseudo_labels.resume import resumed_labels
from ..ranks import check_same_labels

CHECKPOINT_KEY = "pseudo_labels"


@HOOKS.register_module()
class PseudoLabelHook(Hook):
    """Embed and cluster the videos, and set the pseudo-labels, before every ``interval``-th epoch.

    Labels are written into the store that the loader workers read, into
    ``work_dir/pseudo_labels/epoch_E.npz`` and into checkpoints, so that a resumed run
    continues with them. True labels are used for the logged NMI, AMI and purity only.

    Args:
        clusterer: Config of a clusterer in TASK_UTILS, which maps (N, D) embeddings to (N,)
            labels. With None every video stays a cluster of its own, as without this hook.
        pipeline: Evaluation pipeline whose clips are embedded (the centre clip in the paper). Not
            needed without a clusterer, nor with ``descriptors``, which are then clustered alone,
            and once: they do not change.
        interval: Epochs between two clusterings.
        begin: First epoch (0-based) that is clustered.
        batch_size: Videos embedded at once on each rank.
        num_workers: Loader workers for embedding.
        max_embedding_bytes: Larger embeddings (4 N D bytes) go to a file in the work dir.
        second_pipeline: Another pipeline of the same videos, such as one with
            ``FrameDifference(prob=1)``, as a further view (:func:`join_views`).
        descriptors: File of one vector for each video, made without the network
            (``tools/data/extract_motion.py``), as a further view. A video without one belongs to
            no cluster; more than the training set's ``max_bad_ratio`` are an error.
        averaged: Embed with the weights that MMEngine's EMAHook averages, not with the current
            ones as the paper does.

    Raises:
        ValueError: If interval or begin make no sense, or the pipeline or the EMAHook is missing.
        TypeError: If the training set is not a :class:`ClusterAwareDataset`.
    """

    # Before the logger, whose line of the epoch then comes after the clustering's.
    priority = "NORMAL"

    def __init__(
        self,
        clusterer: dict | None,
        pipeline: Sequence[dict | Callable] = (),
        interval: int = 5,
        begin: int = 0,
        batch_size: int = 32,
        num_workers: int = 2,
        max_embedding_bytes: int = 8 << 30,
        second_pipeline: Sequence[dict | Callable] = (),
        descriptors: str | None = None,
        averaged: bool = False,
    ) -> None:
        if interval < 1 or begin < 0:
            raise ValueError(
                "PseudoLabelHook needs interval >= 1 and begin >= 0, "
                f"but got interval={interval} and begin={begin}."
            )
        if clusterer is not None and not pipeline and descriptors is None:
            raise ValueError("PseudoLabelHook needs a pipeline to embed the videos it clusters.")
        self.clusterer: Clusterer | None = None
        if clusterer is not None:
            self.clusterer = TASK_UTILS.build(clusterer)
        # Travels in checkpoints, to be compared with that of a resumed run.
        recipe = clusterer if descriptors is None else [clusterer, descriptors, bool(pipeline)]
        self._recipe = json.dumps(recipe, sort_keys=True, default=str)
        self.pipelines = [each for each in (pipeline, second_pipeline) if each]
        self.descriptors = descriptors
        self.interval, self.begin = interval, begin
        self.batch_size, self.num_workers = batch_size, num_workers
        self.max_embedding_bytes = max_embedding_bytes
        self.averaged = averaged
        self._rows: tuple[Tensor, np.ndarray] | None = None
        self._resumed: dict | None = None
        self._must_cluster = False
        self._previous: np.ndarray | None = None

    def before_train(self, runner: Runner) -> None:
        """Check the training set, prepare the loaders and take over resumed labels."""
        self._dataset = require_cluster_aware(runner.train_dataloader, self)
        videos = self._dataset.videos
        self._videos = [video_name(videos, i) for i in range(len(videos))]
        self._true_labels = true_labels(videos)
        if self.clusterer is not None:
            embedding_model(runner, self.averaged)  # refuses early
            self._loaders = [
                embedding_loader(self._dataset, pipeline, self.batch_size, self.num_workers)
                for pipeline in self.pipelines
            ]
            if self.descriptors is not None:
                max_missing = self._dataset.bad_videos.max_ratio
                self._rows = descriptors_of(self.descriptors, videos, max_missing)
        if self._resumed is not None:
            self._restore(runner, self._resumed)
            self._resumed = None
        check_same_labels(self._dataset.store.labels, "at the start of training")

    def before_train_epoch(self, runner: Runner) -> None:
        """Cluster where this epoch is due."""
        # ExactResumeHook has done so already, where a config has it.
        self._dataset.store.start_epoch(runner.seed, runner.epoch)
        since_begin = runner.epoch - self.begin
        # Descriptors alone would be clustered the same way every time.
        interval = self.interval if self.pipelines else float("inf")
        due = since_begin >= 0 and since_begin % interval == 0
        if self.clusterer is not None and (due or self._must_cluster):
            self._cluster(runner, self.clusterer)
            self._must_cluster = False

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Put the pseudo-labels, and what they belong to, into the checkpoint."""
        checkpoint[CHECKPOINT_KEY] = dict(
            labels=self._dataset.store.labels.clone(),
            videos=self._videos,
            folder=data_folder(self._dataset.videos),
            clusterer=self._recipe,
        )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the pseudo-labels of a run that is resumed for :meth:`before_train`."""
        # load_from starts another run with these weights: its labels are its own.
        if runner._resume:
            self._resumed = checkpoint.get(CHECKPOINT_KEY, {})

    def _restore(self, runner: Runner, saved: dict) -> None:
        folder = data_folder(self._dataset.videos)
        found = resumed_labels(saved, self._videos, folder, self._recipe, not self.pipelines)
        for warning in found.warnings:
            runner.logger.warning(warning)
        begun = self.clusterer is not None and runner.epoch >= self.begin
        self._must_cluster = found.outdated and begun
        if self._must_cluster:
            runner.logger.warning("Clustering before the first epoch, due or not.")
        if found.labels is None:
            return
        self._dataset.store.update(found.labels)
        # Until the first clustering the store holds no clusters, but each video its own.
        if runner.epoch > self.begin:
            self._previous = found.labels

    def _cluster(self, runner: Runner, clusterer: Clusterer) -> None:
        labels = label_videos(
            embedding_model(runner, self.averaged),
            self._dataset,
            clusterer,
            self._loaders,
            self._rows,
            self._videos,
            runner.logger,
            trained=runner.iter > 0,
            max_bytes=self.max_embedding_bytes,
            folder=Path(runner.work_dir),
        )
        self._dataset.store.update(labels)
        moment = f"before epoch {runner.epoch + 1}"
        check_same_labels(self._dataset.store.labels, f"after the clustering {moment}")
        if is_main_process():
            path = Path(runner.work_dir) / "pseudo_labels" / f"epoch_{runner.epoch}.npz"
            save_labels(path, labels, self._videos, runner.epoch)
            scalars, lines = clustering_report(labels, self._true_labels, self._previous)
            for level, line in lines:
                runner.logger.log(level, f"Clustering {moment}: {line}")
            runner.visualizer.add_scalars(scalars, step=runner.epoch)
        self._previous = labels
