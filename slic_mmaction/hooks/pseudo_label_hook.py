"""The hook that clusters the training videos during a training."""

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
    """Embed and cluster the training videos before every ``interval``-th epoch (SLIC, section 3).

    The pseudo-labels are written to the store that the loader workers read, to
    ``work_dir/pseudo_labels/epoch_E.npz`` and to checkpoints, from which a resumed run reads them.
    True labels are only used for the logged NMI, AMI and purity.

    Args:
        clusterer: Config of a clusterer in TASK_UTILS, which maps (N, D) embeddings to (N,)
            labels. With None every video stays a cluster of its own, as without this hook.
        pipeline: Evaluation pipeline of the clips to embed (the centre clip in the paper). It may
            be empty without a clusterer, or with ``descriptors``, which are then clustered alone
            and only once.
        interval: Number of epochs between two clusterings.
        begin: First epoch (0-based) with a clustering.
        batch_size: Number of videos embedded at once on each rank.
        num_workers: Number of loader workers for embedding.
        second_pipeline: Another pipeline of the same videos, such as one with
            ``FrameDifference(prob=1)``, as a further view (:func:`concatenate_views`).
        descriptors: File with a vector for each video, made without the network
            (``tools/data/extract_motion.py``), as a further view. Videos without one are noise.
            More of them than the training set's ``max_bad_ratio`` are an error.
        averaged: Whether to embed with the weights averaged by MMEngine's EMAHook, instead of the
            current ones as in the paper.

    Raises:
        ValueError: If interval or begin is out of range, or the pipeline or the EMAHook is
            missing.
        TypeError: If the training set is not a :class:`ClusterAwareDataset`.

    Examples:
        >>> from mmaction.registry import HOOKS
        >>> centre_clip = dict(type="SampleFrames", clip_len=16, num_clips=1, test_mode=True)
        >>> pipeline = [dict(type="OpenVideo"), centre_clip, dict(type="DecodeFrames")]
        >>> hook = dict(type="PseudoLabelHook", clusterer=dict(type="FINCH"), pipeline=pipeline)
        >>> HOOKS.build(hook).clusterer
        FINCH(level=0, num_clusters=None, metric='cosine', early_exit=True)
    """

    # Before the logger, so that its line of the epoch follows that of the clustering.
    priority = "NORMAL"

    def __init__(
        self,
        clusterer: dict | None,
        pipeline: Sequence[dict | Callable] = (),
        interval: int = 5,
        begin: int = 0,
        batch_size: int = 32,
        num_workers: int = 2,
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
            raise ValueError(
                "PseudoLabelHook needs a pipeline to embed the videos: set pipeline, as in "
                "configs/_base_, or descriptors."
            )
        self.clusterer: Clusterer | None = None
        if clusterer is not None:
            self.clusterer = TASK_UTILS.build(clusterer)
        # Stored in checkpoints, to be compared with that of a resumed run.
        recipe = clusterer if descriptors is None else [clusterer, descriptors, bool(pipeline)]
        self._recipe = json.dumps(recipe, sort_keys=True, default=str)
        self.pipelines = [each for each in (pipeline, second_pipeline) if each]
        self.descriptors = descriptors
        self.interval, self.begin = interval, begin
        self.batch_size, self.num_workers = batch_size, num_workers
        self.averaged = averaged
        self._rows: tuple[Tensor, np.ndarray] | None = None
        self._resumed: dict | None = None
        self._must_cluster = False
        self._previous: np.ndarray | None = None

    def before_train(self, runner: Runner) -> None:
        """Check the training set, build the loaders and restore resumed labels."""
        self._dataset = require_cluster_aware(runner.train_dataloader, self)
        videos = self._dataset.videos
        self._videos = [video_name(videos, i) for i in range(len(videos))]
        self._true_labels = true_labels(videos)
        if self.clusterer is not None:
            embedding_model(runner, self.averaged)  # raises now instead of in a later epoch
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
        """Cluster the videos if it is due before this epoch."""
        # For configs without ExactResumeHook, which does the same.
        self._dataset.store.start_epoch(runner.seed, runner.epoch)
        since_begin = runner.epoch - self.begin
        # Descriptors alone would give the same clusters every time.
        interval = self.interval if self.pipelines else float("inf")
        due = since_begin >= 0 and since_begin % interval == 0
        if self.clusterer is not None and (due or self._must_cluster):
            self._cluster(runner, self.clusterer)
            self._must_cluster = False

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Add the pseudo-labels, their videos and the clusterer to the checkpoint."""
        checkpoint[CHECKPOINT_KEY] = dict(
            labels=self._dataset.store.labels.clone(),
            videos=self._videos,
            folder=data_folder(self._dataset.videos),
            clusterer=self._recipe,
        )

    def after_load_checkpoint(self, runner: Runner, checkpoint: dict) -> None:
        """Keep the pseudo-labels of a resumed run for :meth:`before_train`."""
        # load_from starts a new run from these weights, without their labels.
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
            runner.logger.warning("The videos are clustered before the first epoch.")
        if found.labels is None:
            return
        self._dataset.store.update(found.labels)
        # Before the first clustering there are no clusters to compare with.
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
