"""The hook that clusters the training videos while a model is trained."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from itertools import compress
from pathlib import Path

import numpy as np
import torch
from mmaction.registry import HOOKS, TASK_UTILS
from mmengine.dist import is_main_process
from mmengine.hooks import Hook
from mmengine.runner import EpochBasedTrainLoop, Runner

from ..clustering.all_ranks import Clusterer, cluster_on_all_ranks
from ..datasets.cluster_aware_dataset import ClusterAwareDataset
from ..datasets.label_store import NOISE
from ..datasets.videos import data_folder, true_labels, video_name
from ..ranks import check_same_batches, check_same_labels
from .accumulation_check import check_accumulation
from .averaged_model import embedding_model
from .clustering_report import clustering_report
from .described_videos import described_videos
from .embedding import embed_videos, embedding_loader
from .embedding_matrix import keep_rows
from .joined_views import join_views
from .label_files import save_labels
from .resumed_labels import resumed_labels
from .sanity import check_embeddings

CHECKPOINT_KEY = "pseudo_labels"


@HOOKS.register_module()
class PseudoLabelHook(Hook):
    """Embed, cluster and hand out pseudo-labels before every ``interval``-th epoch.

    Each rank embeds, and searches first neighbours for, its share of the videos; rank 0
    clusters and sends the labels to all. They are written into the store that the loader
    workers read, into
    ``work_dir/pseudo_labels/epoch_E.npz`` and into checkpoints, so that a resumed run
    continues with them. True labels are used for the logged NMI, AMI and purity only.

    The hook also sets the clock (seed, epoch) on which every draw of
    :class:`ClusterAwareDataset` depends, so pretraining without clustering needs it
    too, with ``clusterer=None``.

    Args:
        clusterer (dict, optional): Config of a clusterer in TASK_UTILS, which maps
            (N, D) embeddings to (N,) labels. None leaves every video a cluster of
            its own.
        pipeline (Sequence[dict | Callable]): Evaluation pipeline whose clips are
            embedded (the centre clip in the paper). Not needed without a clusterer, nor with
            ``descriptors``, which are then clustered alone, and once: they do not change.
        interval (int): Epochs between two clusterings. Defaults to 5.
        begin (int): First epoch (0-based) that is clustered. Defaults to 0.
        batch_size (int): Videos embedded at once on each rank. Defaults to 32.
        num_workers (int): Loader workers for embedding. Defaults to 2.
        max_embedding_bytes (int): Larger embeddings (4 N D bytes) go to a memory-mapped
            file in the work dir. Defaults to 8 GiB: 16 million videos of 128 dimensions.
        second_pipeline (Sequence[dict | Callable]): Another pipeline of the same videos, such
            as one with ``FrameDifference(prob=1)``. Videos are then clustered by what they look
            like in both, see :func:`join_views`. Defaults to none, as in the paper.
        descriptors (str, optional): File of one vector for each video, made without the
            network (``tools/data/extract_motion.py``), as a further view. A video without one
            belongs to no cluster; more than the training set's ``max_bad_ratio`` are an error.
        averaged (bool): Embed with the weights that MMEngine's EMAHook averages, not with
            the current ones as the paper does. Defaults to False.

    Raises:
        ValueError: If interval or begin make no sense, or the pipeline or the EMAHook is
            missing.
        TypeError: If the training set is not a :class:`ClusterAwareDataset` or the loop
            does not run by epoch.
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
        self.clusterer: Clusterer | None = (
            None if clusterer is None else TASK_UTILS.build(clusterer)
        )
        # Travels in checkpoints, to be compared with that of a resumed run.
        recipe = clusterer if descriptors is None else [clusterer, descriptors, bool(pipeline)]
        self._recipe = json.dumps(recipe, sort_keys=True, default=str)
        self.pipelines = [each for each in (pipeline, second_pipeline) if each]
        self.descriptors = descriptors
        self.interval = interval
        self.begin = begin
        self.batch_size = batch_size
        self.num_workers = num_workers
        self.max_embedding_bytes = max_embedding_bytes
        self.averaged = averaged
        self._resumed: dict | None = None
        self._previous: np.ndarray | None = None

    def before_train(self, runner: Runner) -> None:
        """Check the training set, prepare the loader and take over resumed labels."""
        dataset = runner.train_dataloader.dataset
        if not isinstance(dataset, ClusterAwareDataset):
            raise TypeError(
                "PseudoLabelHook needs train_dataloader.dataset of type ClusterAwareDataset, "
                f"but it is {type(dataset).__name__}."
            )
        if not isinstance(runner.train_loop, EpochBasedTrainLoop):
            raise TypeError("PseudoLabelHook clusters between epochs: set train_cfg.by_epoch=True.")
        check_same_batches(len(runner.train_dataloader))
        check_accumulation(runner)
        self._dataset = dataset
        self._videos = [video_name(dataset.videos, i) for i in range(len(dataset))]
        self._true_labels = true_labels(dataset.videos)
        if self.clusterer is not None:
            self._loaders = [
                embedding_loader(dataset, pipeline, self.batch_size, self.num_workers)
                for pipeline in self.pipelines
            ]
            embedding_model(runner, self.averaged)
            self._described = np.ones(len(dataset), dtype=bool)
            if self.descriptors is not None:
                self._rows, self._described = described_videos(
                    self.descriptors, dataset.videos, dataset.bad_videos.max_ratio
                )
        # A resumed run takes its seed from the checkpoint, after the sampler was built.
        if hasattr(runner.train_dataloader.sampler, "seed"):
            runner.train_dataloader.sampler.seed = runner.seed
        self._must_cluster = False
        if self._resumed is not None:
            self._restore(runner, self._resumed)
            self._resumed = None
        check_same_labels(dataset.store.labels, "at the start of training")

    def before_train_epoch(self, runner: Runner) -> None:
        """Advance the clock; cluster where this epoch is due."""
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
        found = resumed_labels(
            saved,
            self._videos,
            data_folder(self._dataset.videos),
            self._recipe,
            once=not self.pipelines,
        )
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
        folder = Path(runner.work_dir)
        views = [
            embed_videos(
                embedding_model(runner, self.averaged),
                loader,
                len(self._videos),
                self.max_embedding_bytes,
                folder,
            )
            for loader in self._loaders
        ]
        self._dataset.bad_videos.merge_ranks()
        readable = ~self._dataset.bad_videos.unreadable.numpy() & self._described
        for number, view in enumerate(views):
            views[number] = keep_rows(view, readable)
            check_embeddings(views[number], list(compress(self._videos, readable)), runner.logger)
        if self.descriptors is not None:
            device = views[0].device if views else self._rows.device
            views.append(self._rows[torch.from_numpy(readable)].to(device))
        embeddings = views[0]
        if self.descriptors is not None or len(views) > 1:
            embeddings = join_views(views, self.max_embedding_bytes, folder)
        # A video left out belongs to no cluster, so it is nobody's positive.
        labels = np.full(len(readable), NOISE)
        labels[readable] = cluster_on_all_ranks(clusterer, embeddings)
        self._dataset.store.update(labels)
        check_same_labels(
            self._dataset.store.labels, f"after the clustering before epoch {runner.epoch + 1}"
        )
        if is_main_process():
            self._report(runner, labels)
        self._previous = labels

    def _report(self, runner: Runner, labels: np.ndarray) -> None:
        path = Path(runner.work_dir) / "pseudo_labels" / f"epoch_{runner.epoch}.npz"
        save_labels(path, labels, self._videos, runner.epoch)
        scalars, lines = clustering_report(labels, self._true_labels, self._previous)
        for level, line in lines:
            runner.logger.log(level, f"Clustering before epoch {runner.epoch + 1}: {line}")
        runner.visualizer.add_scalars(scalars, step=runner.epoch)
