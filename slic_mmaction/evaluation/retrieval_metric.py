"""R@k of a validation or test loop."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from mmaction.registry import METRICS
from mmengine.evaluator import BaseMetric
from mmengine.logging import print_log

from .neighbor_file import RetrievalNeighbors
from .recall import recall_of_hits, top_k_neighbors

ROLES = ("query", "gallery")


@METRICS.register_module()
class VideoRetrievalMetric(BaseMetric):
    """Nearest-neighbour retrieval of test videos among training videos.

    Evaluates the videos of :class:`RetrievalDataset` by the embeddings that
    :meth:`SLICHead.predict` writes: R@k is the percentage of queries with a gallery video
    of their class among the k nearest by cosine. The protocol is not configured here: the
    pipeline's :class:`SampleProtocolClips` puts it on every data sample, and the result
    line repeats it. Every query counts.

    Keep the best checkpoint with ``CheckpointHook(save_best='retrieval/R@1',
    rule='greater')``; MMEngine cannot guess the rule.

    Args:
        ks (Sequence[int]): Numbers of neighbours. Those beyond the size of the gallery are
            left out, with a warning. Defaults to (1, 5, 10, 20, 50).
        out_file (str, optional): ``.npz`` to which the neighbours found are written, see
            :class:`RetrievalNeighbors`. Defaults to None.
        collect_device (str): As in MMEngine. Defaults to ``'cpu'``.
        prefix (str, optional): Of the names of the results. Defaults to ``'retrieval'``.
    """

    default_prefix = "retrieval"

    def __init__(
        self,
        ks: Sequence[int] = (1, 5, 10, 20, 50),
        out_file: str | None = None,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not ks or min(ks) < 1:
            raise ValueError(f"VideoRetrievalMetric's ks are positive integers, but got {ks}.")
        self.ks = sorted(set(ks))
        self.out_file = out_file

    def process(self, data_batch: Any, data_samples: Sequence[dict]) -> None:
        """Keep each video's embedding, class and role.

        Args:
            data_batch (Any): Not used.
            data_samples (Sequence[dict]): Samples after the network, as dicts.

        Raises:
            ValueError: If a sample lacks what retrieval needs.
        """
        self.results.extend(_video_of(sample) for sample in data_samples)

    def compute_metrics(self, results: list[dict]) -> dict[str, float]:
        """R@k in percent.

        Args:
            results (list[dict]): What :meth:`process` kept, of all ranks.

        Returns:
            dict[str, float]: ``'R@1'`` and so on.

        Raises:
            ValueError: If queries or gallery are missing or incomplete, or the samples are
                not of one protocol and feature.
        """
        # A sampler fills up the last batch of some ranks with videos that others have, too.
        videos = sorted({video["index"]: video for video in results}.values(), key=_index)
        protocol = _only(videos, "protocol")
        feature = _only(videos, "feature")
        query, gallery = (self._of_role(videos, role) for role in ROLES)
        ks = [k for k in self.ks if k <= len(gallery)]
        if not ks:
            raise ValueError(
                f"The gallery has {len(gallery)} videos, fewer than every k of {self.ks}: "
                "set smaller ks."
            )
        if ks != self.ks:
            print_log(
                f"R@{', R@'.join(str(k) for k in self.ks[len(ks) :])} left out: the gallery has "
                f"only {len(gallery)} videos.",
                logger="current",
                level=logging.WARNING,
            )
        indices, similarities = top_k_neighbors(_embeddings(query), _embeddings(gallery), ks[-1])
        neighbors = RetrievalNeighbors(
            query_videos=np.array([video["video"] for video in query]),
            query_labels=np.array([video["label"] for video in query]),
            gallery_videos=np.array([video["video"] for video in gallery]),
            gallery_labels=np.array([video["label"] for video in gallery]),
            indices=indices.numpy(),
            similarities=similarities.numpy(),
        )
        if self.out_file is not None:
            neighbors.save(Path(self.out_file))
        recalls = {f"R@{k}": 100 * r for k, r in recall_of_hits(neighbors.hits, ks).items()}
        figures = ", ".join(f"{name} {recall:.1f}" for name, recall in recalls.items())
        print_log(
            f"retrieval (protocol {protocol}, feature {feature}): {len(query)} queries in "
            f"{len(gallery)} gallery videos: {figures}",
            logger="current",
        )
        return recalls

    def _of_role(self, videos: list[dict], role: str) -> list[dict]:
        chosen = [video for video in videos if video["role"] == role]
        expected = (self.dataset_meta or {}).get(f"num_{role}")
        if not chosen or (expected is not None and len(chosen) != expected):
            of = "" if expected is None else f" of {expected}"
            raise ValueError(
                f"{len(chosen)}{of} {role} videos were embedded: retrieval needs all queries and "
                "all gallery videos, so the dataloader takes a RetrievalDataset, without "
                "drop_last, and a sampler that visits every video."
            )
        return chosen


def _video_of(sample: dict) -> dict:
    """What retrieval keeps of a data sample."""
    if "role" not in sample:
        raise ValueError(
            "VideoRetrievalMetric got a data sample that is neither query nor gallery: "
            "its dataloader takes a RetrievalDataset."
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


def _only(videos: list[dict], key: str) -> str | None:
    """The value of ``key`` that all videos share."""
    values = sorted({video[key] for video in videos})
    if len(values) > 1:
        raise ValueError(
            f"Numbers of different {key}s must not be mixed, but the videos have "
            f"{' and '.join(repr(value) for value in values)}."
        )
    return values[0] if values else None


def _embeddings(videos: list[dict]) -> torch.Tensor:
    return torch.stack([video["embedding"] for video in videos])
