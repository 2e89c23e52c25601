"""What all evaluations of queries against a gallery share: collecting, checking and naming."""

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
    """Evaluates the query videos of :class:`RetrievalDataset` by its gallery videos.

    It reads two :class:`FeatureSet` with labels. :class:`FeatureTestLoop` hands over stored
    features of all clips; from the data samples of MMEngine's own loops the metric makes the same
    in memory, of one feature for each video. The protocol is not configured here: the pipeline's
    :class:`SampleProtocolClips` puts it on every data sample, and results repeat it. Every query
    counts. All ranks work.

    Args:
        **options: ``collect_device`` and ``prefix`` of MMEngine's ``BaseMetric``.

    Attributes:
        measured: Of the last evaluation, the names of protocol and feature.
        chance: Of the last evaluation, what chance alone would give, by the name of a figure.
        details: Of the last evaluation, what is no single figure.
    """

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.measured: dict[str, str] = {}
        self.chance: dict[str, float] = {}
        self.details: dict[str, Any] = {}

    @abstractmethod
    def measure(self, query: FeatureSet, gallery: FeatureSet) -> dict[str, float]:
        """Figures by name without prefix; called on every rank, with the same videos."""

    def evaluate_features(self, query: FeatureSet, gallery: FeatureSet) -> dict[str, float]:
        """Figures by name with prefix, of Q queries and G gallery videos with labels.

        Raises:
            ValueError: If they are not of one protocol, feature and size of frames.
        """
        name = only((part.full_name for part in (query, gallery)), "protocol")
        self.measured = dict(protocol=get_protocol(name).name, name=name, feature=query.layer)
        measured = self.measure(query, gallery)
        figures = {f"{self.prefix}/{key}": value for key, value in measured.items()}
        classes = (Counter(part.labels.tolist()) for part in (query, gallery))
        self.chance = chance_levels(figures, *classes)
        return figures

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep each video's embedding, class, role and size of frames.

        Args:
            data_batch: With the ``inputs``.
            data_samples: Samples after the network, as dicts.

        Raises:
            ValueError: If a sample lacks what an evaluation needs.
        """
        for sample, clips in zip(data_samples, data_batch["inputs"]):
            self.results.append(dict(_video_of(sample), frame_size=tuple(clips.shape[-2:])))

    def evaluate(self, size: int) -> dict[str, float]:
        """Figures of the ``size`` videos of a dataset, collected from all ranks, on every rank."""
        collected = [collect_results(self.results, size, self.collect_device)]
        broadcast_object_list(collected)
        self.results.clear()
        return self.compute_metrics(collected[0] or [])

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Figures by name with prefix, of what :meth:`process` kept on all ranks.

        Raises:
            ValueError: If videos are missing, or are not of one protocol, feature and size of
                frames.
        """
        # A sampler fills up the last batch of some ranks with videos that others have, too.
        by_index = {video["index"]: video for video in results}
        videos = [by_index[index] for index in sorted(by_index)]
        return self.evaluate_features(*(self._of_role(videos, role) for role in ROLES))

    def _of_role(self, videos: list[dict], role: str) -> FeatureSet:
        chosen = [video for video in videos if video["role"] == role]
        expected = self.dataset_meta[f"num_{role}"]
        if len(chosen) != expected:
            raise ValueError(
                f"{len(chosen)} of {expected} {role} videos were embedded: retrieval needs all "
                "queries and all gallery videos, so the dataloader takes a RetrievalDataset, "
                "without drop_last, and a sampler that visits every video."
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
        """Say what was measured in one line."""
        videos = f"{len(query)} queries in {len(gallery)} gallery videos"
        print_log(f"{kind} (protocol {query.full_name}): {videos}: {found}", logger="current")


def comparable(query: FeatureSet, gallery: FeatureSet) -> tuple[Tensor, Tensor]:
    """Embeddings (Q, D) and (G, D) as the protocol compares them, where neighbours are searched."""
    prepared = get_protocol(query.full_name).prepared
    queries, stored = (prepared(part.means()).to(search_device()) for part in (query, gallery))
    return queries, stored


def over_ranks(num_rows: int, work: Callable[[slice], tuple[Tensor, ...]]) -> tuple[Tensor, ...]:
    """Results for all rows on the CPU, of which each rank computes a slice; all ranks call this."""
    share = share_of(num_rows, *get_dist_info())
    found = together(lambda: work(slice(share.start, share.stop)))
    return tuple(gather_rows(part) for part in found)


def shown(figures: dict[str, float]) -> str:
    """Figures in percent as a line shows them."""
    return ", ".join(f"{name} {value:.1f}" for name, value in figures.items())


def possible_ks(ks: Sequence[int], gallery_size: int) -> list[int]:
    """Those of the ascending ``ks`` that a gallery has; a ValueError if it has none of them."""
    possible = [k for k in ks if k <= gallery_size]
    if not possible:
        raise ValueError(
            f"The gallery has {gallery_size} videos, fewer than every k of {ks}: set smaller ks."
        )
    if len(possible) < len(ks):
        left_out = ", ".join(str(k) for k in ks[len(possible) :])
        print_log(
            f"k = {left_out} left out: the gallery has only {gallery_size} videos.",
            logger="current",
            level=logging.WARNING,
        )
    return possible


def _video_of(sample: dict) -> dict:
    """What an evaluation keeps of a data sample."""
    if "role" not in sample:
        raise ValueError(
            "The metric got a data sample that is neither query nor gallery: its dataloader "
            "takes a RetrievalDataset."
        )
    name = f"{sample['role']} video {sample['video']}"
    if "embedding" not in sample or "feature" not in sample:
        raise ValueError(
            f"The network wrote no embedding for {name}: retrieval needs a SLICHead as cls_head."
        )
    label = sample.get("gt_label")
    if label is None or label.numel() != 1 or int(label) < 0:
        raise ValueError(
            f"Retrieval needs exactly one class for each video, but {name} has the label "
            f"{None if label is None else label.tolist()}; correct the annotation file."
        )
    embedding = sample["embedding"].detach().float().cpu()
    if not torch.isfinite(embedding).all():
        raise ValueError(f"The embedding of {name} is not finite: the network has diverged.")
    return dict(
        index=sample["sample_index"],
        role=sample["role"],
        video=sample["video"],
        label=int(label),
        embedding=embedding,
        protocol=sample.get("protocol"),
        feature=sample["feature"],
    )
