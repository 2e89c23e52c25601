"""What all evaluations of queries against a gallery share: collecting, checking and naming."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmengine.dist import broadcast_object_list, collect_results
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from .embedded_videos import EmbeddedVideos, OneEmbeddingEach
from .protocols import SeenAs

ROLES = ("query", "gallery")


class GalleryMetric(BaseMetric):
    """Evaluates the query videos of :class:`RetrievalDataset` by its gallery videos.

    The protocol is not configured here: the pipeline's :class:`SampleProtocolClips` puts it
    on every data sample, and results repeat it. Every query counts. All ranks work.

    It is fed in one of two ways: with data samples, by MMEngine's loops, which then hold one
    embedding for each video; or, by :class:`FeatureTestLoop`, with stored features of all
    clips, through :meth:`evaluate_videos`.

    Args:
        collect_device (str): As in MMEngine. Defaults to ``'cpu'``.
        prefix (str, optional): Of the names of the results.

    Attributes:
        details (dict[str, Any]): Of the last measurement, what is no single figure.
    """

    def __init__(self, collect_device: str = "cpu", prefix: str | None = None) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        self.details: dict[str, Any] = {}

    @abstractmethod
    def measure(
        self, query: EmbeddedVideos, gallery: EmbeddedVideos, seen: SeenAs
    ) -> dict[str, float]:
        """Figures by name; called on every rank, with the same videos.

        Args:
            query (EmbeddedVideos): Q videos.
            gallery (EmbeddedVideos): G videos.
            seen (SeenAs): Protocol, feature and size of frames.
        """

    def evaluate_videos(
        self, query: EmbeddedVideos, gallery: EmbeddedVideos, seen: SeenAs
    ) -> dict[str, float]:
        """Figures by name with prefix; arguments as of :meth:`measure`."""
        figures = self.measure(query, gallery, seen)
        return {f"{self.prefix}/{name}": value for name, value in figures.items()}

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep each video's embedding, class and role.

        Args:
            data_batch (Any): With the ``inputs``, of which only the frames' size is taken.
            data_samples (Sequence[dict]): Samples after the network, as dicts.

        Raises:
            ValueError: If a sample lacks what an evaluation needs.
        """
        inputs = [None] * len(data_samples) if data_batch is None else data_batch["inputs"]
        for sample, clips in zip(data_samples, inputs):
            size = None if clips is None else tuple(clips.shape[-2:])
            self.results.append(dict(_video_of(sample), frame_size=size))

    def evaluate(self, size: int) -> dict[str, float]:
        """Collect the videos of all ranks and evaluate them on all ranks.

        Args:
            size (int): Number of videos in the dataset.

        Returns:
            dict[str, float]: Figures by name with prefix, the same on every rank.
        """
        collected = [collect_results(self.results, size, self.collect_device)]
        broadcast_object_list(collected)
        self.results.clear()
        figures = self.compute_metrics(collected[0] or [])
        return {f"{self.prefix}/{name}": value for name, value in figures.items()}

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """Figures by name, without prefix.

        Args:
            results (list[dict]): What :meth:`process` kept, of all ranks.

        Raises:
            ValueError: If queries or gallery are missing or incomplete, or the samples are
                not of one protocol and feature.
        """
        # A sampler fills up the last batch of some ranks with videos that others have, too.
        videos = sorted({video["index"]: video for video in results}.values(), key=_index)
        query, gallery = (self._of_role(videos, role) for role in ROLES)
        protocol, feature, size = (_only(videos, k) for k in ("protocol", "feature", "frame_size"))
        return self.measure(query, gallery, SeenAs(protocol, feature, size))

    def _of_role(self, videos: list[dict], role: str) -> EmbeddedVideos:
        chosen = [video for video in videos if video["role"] == role]
        expected = (self.dataset_meta or {}).get(f"num_{role}")
        if not chosen or (expected is not None and len(chosen) != expected):
            of = "" if expected is None else f" of {expected}"
            raise ValueError(
                f"{len(chosen)}{of} {role} videos were embedded: retrieval needs all queries and "
                "all gallery videos, so the dataloader takes a RetrievalDataset, without "
                "drop_last, and a sampler that visits every video."
            )
        return EmbeddedVideos(
            videos=np.array([video["video"] for video in chosen]),
            labels=np.array([video["label"] for video in chosen]),
            embeddings=OneEmbeddingEach(torch.stack([video["embedding"] for video in chosen])),
        )


def possible_ks(ks: Sequence[int], gallery_size: int) -> list[int]:
    """Those numbers of neighbours, in ascending order, that a gallery has; says what is left out.

    Raises:
        ValueError: If there is none.
    """
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
    """What retrieval keeps of a data sample."""
    if "role" not in sample:
        raise ValueError(
            "The metric got a data sample that is neither query nor gallery: its dataloader "
            "takes a RetrievalDataset."
        )
    name = f"{sample['role']} video {sample['video']}"
    if "protocol" not in sample:
        raise ValueError(
            f"The data sample of {name} names no retrieval protocol: begin the pipeline with "
            "SampleProtocolClips and end it with PackActionInputs(meta_keys=('protocol',))."
        )
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
        protocol=sample["protocol"],
        feature=sample["feature"],
    )


def _index(video: dict) -> int:
    return video["index"]


def _only(videos: list[dict], key: str) -> Any:
    """The value of ``key`` that all videos share."""
    values = list(dict.fromkeys(video[key] for video in videos))
    if len(values) > 1:
        raise ValueError(
            f"Numbers of different {key.replace('_', ' ')}s must not be mixed, but the videos have "
            f"{' and '.join(repr(value) for value in values)}."
        )
    return values[0]
