"""Base class of the metrics that compare queries to a gallery."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dist import broadcast_object_list, collect_results, get_dist_info
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log
from torch import Tensor

from ..nearest import search_device
from ..ranks import gather_rows, share_of, together
from .extract import ROLES
from .feature_set import FeatureSet, only
from .protocols import get_protocol
from .results import chance_levels


class GalleryMetric(BaseMetric):
    """Base class of metrics that compare the queries of :class:`RetrievalDataset` to its gallery.

    A subclass implements :meth:`measure` for two :class:`FeatureSet` with labels.
    :class:`FeatureTestLoop` passes stored features of all clips. With MMEngine's own loops, the
    metric collects one feature for each video in memory. The protocol is not an option: the
    pipeline's :class:`SampleProtocolClips` adds it to every data sample, and the names of results
    contain it. No query is left out. The queries are distributed over all ranks.

    Args:
        **options: ``collect_device`` and ``prefix`` of MMEngine's ``BaseMetric``.

    Attributes:
        measured: Names of protocol and feature of the last evaluation.
        chance: Chance level of each figure of the last evaluation, by its name.
        details: Further results of the last evaluation, such as tables.

    Examples:
        >>> from slic_mmaction.evaluation import FeatureSet, GalleryMetric
        >>> class MeanNorm(GalleryMetric):
        ...     def measure(self, query, gallery):
        ...         return {"query": float(query.means().norm(dim=1).mean())}
        >>> videos = FeatureSet.in_memory(["a.mp4"], np.ones((1, 4), np.float32), [1],
        ...     "projection", "iic", frame_size=(128, 128), labels=np.array([0]))
        >>> MeanNorm(prefix="norm").evaluate_features(videos, videos)
        {'norm/query': 2.0}
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.measured: dict[str, str] = {}
        self.chance: dict[str, float] = {}
        self.details: dict[str, Any] = {}

    @abstractmethod
    def measure(self, query: FeatureSet, gallery: FeatureSet) -> dict[str, float]:
        """Return figures by name without prefix; every rank calls this with the same videos."""

    def evaluate_features(self, query: FeatureSet, gallery: FeatureSet) -> dict[str, float]:
        """Return figures by name with prefix, for queries and gallery videos with labels.

        Raises:
            ValueError: If they differ in protocol, feature or frame size.
        """
        name = only((part.full_name for part in (query, gallery)), "protocol")
        self.measured = dict(protocol=get_protocol(name).name, name=name, feature=query.layer)
        measured = self.measure(query, gallery)
        figures = {f"{self.prefix}/{key}": value for key, value in measured.items()}
        classes = (Counter(part.labels.tolist()) for part in (query, gallery))
        self.chance = chance_levels(figures, *classes)
        return figures

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Collect the embedding, class, role and frame size of each video.

        Args:
            data_batch: Batch with ``inputs``.
            data_samples: Samples with the network's output, as dicts.

        Raises:
            ValueError: If a sample has no role, embedding or class.
        """
        for sample, clips in zip(data_samples, data_batch["inputs"]):
            self.results.append(dict(_video_of(sample), frame_size=tuple(clips.shape[-2:])))

    def evaluate(self, size: int) -> dict[str, float]:
        """Return the figures of the ``size`` videos of a dataset, gathered from all ranks."""
        collected = [collect_results(self.results, size, self.collect_device)]
        broadcast_object_list(collected)
        self.results.clear()
        return self.compute_metrics(collected[0] or [])

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Return figures by name with prefix, from the results of :meth:`process` on all ranks.

        Raises:
            ValueError: If videos are missing, or differ in protocol, feature or frame size.
        """
        # A sampler pads the last batch of some ranks with videos of others.
        by_index = {video["index"]: video for video in results}
        videos = [by_index[index] for index in sorted(by_index)]
        return self.evaluate_features(*(self._of_role(videos, role) for role in ROLES))

    def _of_role(self, videos: list[dict], role: str) -> FeatureSet:
        chosen = [video for video in videos if video["role"] == role]
        expected = self.dataset_meta[f"num_{role}"]
        if len(chosen) != expected:
            raise ValueError(
                f"{len(chosen)} of {expected} {role} videos were embedded, but retrieval needs all "
                "of them: give the dataloader a RetrievalDataset, a sampler that visits every "
                "video, and no drop_last."
            )
        return FeatureSet.in_memory(
            names=[video["video"] for video in chosen],
            rows=torch.stack([video["embedding"] for video in chosen]).numpy(),
            num_clips=[1] * len(chosen),
            layer=only((video["feature"] for video in chosen), "feature"),
            protocol=only((video["protocol"] for video in chosen), "protocol"),
            frame_size=only((video["frame_size"] for video in chosen), "frame size"),
            labels=np.array([video["label"] for video in chosen]),
        )

    def _log(self, kind: str, query: FeatureSet, gallery: FeatureSet, found: str) -> None:
        """Log the result in one line."""
        videos = f"{len(query)} queries in {len(gallery)} gallery videos"
        print_log(f"{kind} (protocol {query.full_name}): {videos}: {found}", logger="current")


def comparable(query: FeatureSet, gallery: FeatureSet) -> tuple[Tensor, Tensor]:
    """Return the embeddings (Q, D) and (G, D) that the protocol compares, on the search device."""
    prepared = get_protocol(query.full_name).prepared
    queries, stored = (prepared(part.means()).to(search_device()) for part in (query, gallery))
    return queries, stored


def over_ranks(num_rows: int, work: Callable[[slice], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """Compute results for a slice of the rows on each rank, and gather them on all ranks (CPU)."""
    share = share_of(num_rows, *get_dist_info())
    found = together(lambda: work(slice(share.start, share.stop)))
    return tuple(gather_rows(part) for part in found)


def shown(figures: dict[str, float]) -> str:
    """Format figures in percent for a line of the log."""
    return ", ".join(f"{name} {value:.1f}" for name, value in figures.items())


def possible_ks(ks: Sequence[int], gallery_size: int) -> list[int]:
    """Return the ``ks`` up to the size of the gallery.

    Raises:
        ValueError: If there are none.
    """
    possible = [k for k in ks if k <= gallery_size]
    if not possible:
        raise ValueError(
            f"The gallery has {gallery_size} videos, fewer than every k of {ks}: set smaller ks."
        )
    if len(possible) < len(ks):
        left_out = ", ".join(str(k) for k in ks[len(possible) :])
        print_log(
            f"k = {left_out} is left out: the gallery has only {gallery_size} videos.",
            logger="current",
            level=logging.WARNING,
        )
    return possible


def _video_of(sample: dict) -> dict:
    """Extract the values that an evaluation needs from a data sample."""
    if "role" not in sample:
        raise ValueError(
            "A data sample of the metric is neither query nor gallery: use a RetrievalDataset in "
            "the dataloader."
        )
    name = f"{sample['role']} video {sample['video']}"
    if "embedding" not in sample or "feature" not in sample:
        raise ValueError(f"The network wrote no embedding for {name}: use a SLICHead as cls_head.")
    label = sample.get("gt_label")
    if label is None or label.numel() != 1 or int(label) < 0:
        raise ValueError(
            f"Retrieval needs exactly one class for each video, but {name} has the label "
            f"{None if label is None else label.tolist()}; correct the annotation file."
        )
    embedding = sample["embedding"].detach().float().cpu()
    if not torch.isfinite(embedding).all():
        raise ValueError(
            f"The embedding of {name} is not finite: the network has diverged, use another "
            "checkpoint."
        )
    return dict(
        index=sample["sample_index"],
        role=sample["role"],
        video=sample["video"],
        label=int(label),
        embedding=embedding,
        protocol=sample.get("protocol"),
        feature=sample["feature"],
    )
