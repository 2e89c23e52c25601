"""Accuracy of a linear classifier on the frozen features."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
from mmaction.registry import METRICS
from mmengine.logging import print_log

from ..nearest import search_device
from ..probe import LabelledClips, SweepSettings, validation_cut, video_groups
from ..probe.validation_cut import check_pattern
from ..ranks import on_main
from .embedded_videos import EmbeddedVideos
from .gallery_metric import GalleryMetric
from .knn import top_k_accuracy
from .protocols import SeenAs


@METRICS.register_module()
class LinearProbeMetric(GalleryMetric):
    """Trains linear classifiers on the gallery and tests the chosen one on the queries.

    The network is frozen with its BatchNorm statistics: only its features, computed in
    evaluation mode, come here. Each clip's feature is L2-normalised (METHOD "Evaluation").
    All learning rates and weight decays are trained at once, on a part of the training videos;
    the rest of them, whole recordings, chooses. The chosen setting is trained again on all
    training videos and then meets the test videos, once; their clips' probabilities are
    averaged. With :class:`FeatureTestLoop` an epoch draws one clip of each video; with
    MMEngine's own loops there is only the mean of a video's clips.

    Results are ``linear/iic/top1`` and so on, with the chosen ``lr`` and ``weight_decay``;
    ``details`` holds the validation accuracy of every setting.

    Args:
        lrs (Sequence[float]): Learning rates. Normalised features are small, so rates are
            large. Defaults to (0.3, 1, 3, 10, 30, 100).
        weight_decays (Sequence[float]): Defaults to (0, 1e-6, 1e-5, 1e-4, 1e-3).
        epochs (int): Passes over the videos. Defaults to 100.
        batch_size (int): Videos in a step. Defaults to 256.
        val_share (float): Part of each class's groups that chooses. Defaults to 0.2.
        group_pattern (str, optional): What names the recording in a file name, see
            :func:`video_groups`. Defaults to None, each video its own.
        topk (Sequence[int]): Of which accuracies are reported. Defaults to (1, 5).
        seed (int): Of the cut, the batches and the clips. Defaults to 0.
        collect_device (str): As in MMEngine. Defaults to ``'cpu'``.
        prefix (str, optional): Of the names of the results. Defaults to ``'linear'``.
    """

    default_prefix = "linear"

    def __init__(
        self,
        lrs: Sequence[float] = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
        weight_decays: Sequence[float] = (0.0, 1e-6, 1e-5, 1e-4, 1e-3),
        epochs: int = 100,
        batch_size: int = 256,
        val_share: float = 0.2,
        group_pattern: str | None = None,
        topk: Sequence[int] = (1, 5),
        seed: int = 0,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not lrs or min(lrs) <= 0 or not weight_decays or min(weight_decays) < 0:
            raise ValueError(
                "LinearProbeMetric needs positive lrs and weight_decays of at least 0, but got "
                f"{lrs} and {weight_decays}."
            )
        if not 0 < val_share < 1 or epochs < 1 or batch_size < 1:
            raise ValueError(
                "LinearProbeMetric needs a val_share within 0..1, epochs and a batch_size of at "
                f"least 1, but got {val_share}, {epochs} and {batch_size}."
            )
        if not topk or min(topk) < 1 or seed < 0:
            raise ValueError(
                "LinearProbeMetric needs topk of positive integers and a seed of at least 0, but "
                f"got {topk} and {seed}."
            )
        check_pattern(group_pattern)
        grid = list(product(sorted(set(lrs)), sorted(set(weight_decays))))
        self.settings = SweepSettings(
            lrs=tuple(lr for lr, _ in grid),
            weight_decays=tuple(decay for _, decay in grid),
            epochs=epochs,
            batch_size=batch_size,
            seed=seed,
        )
        self.val_share = val_share
        self.group_pattern = group_pattern
        self.topk = sorted(set(topk))

    def measure(
        self, query: EmbeddedVideos, gallery: EmbeddedVideos, seen: SeenAs
    ) -> dict[str, float]:
        """Accuracies in percent; see :meth:`GalleryMetric.measure`.

        Raises:
            ValueError: If no part of the training videos can be set aside, or all rates are
                too high.
        """
        figures, self.details = on_main(lambda: self._probe(query, gallery, seen.name))
        return {f"{seen.slug}/{key}": value for key, value in figures.items()}

    def _probe(
        self, query: EmbeddedVideos, gallery: EmbeddedVideos, name: str
    ) -> tuple[dict[str, float], dict[str, Any]]:
        train, test = _labelled(gallery), _labelled(query)
        num_classes = int(max(gallery.labels.max(), query.labels.max())) + 1
        groups = video_groups(gallery.videos.tolist(), self.group_pattern)
        cut = validation_cut(gallery.labels, groups, self.val_share, self.settings.seed)

        held_out = train.part(cut)
        judged = []
        for weights, bias in zip(*train.part(~cut).fit(num_classes, self.settings)):
            scores = held_out.probabilities(weights, bias)
            accuracy = top_k_accuracy(scores, held_out.labels, 1)
            judged.append((accuracy, held_out.cross_entropy(scores)))
        best = self._choose(judged)
        chosen = replace(
            self.settings,
            lrs=self.settings.lrs[best : best + 1],
            weight_decays=self.settings.weight_decays[best : best + 1],
        )
        weights, bias = train.fit(num_classes, chosen)
        scores = test.probabilities(weights[0], bias[0])
        figures = {f"top{k}": 100 * top_k_accuracy(scores, test.labels, k) for k in self.topk}
        figures["lr"], figures["weight_decay"] = chosen.lrs[0], chosen.weight_decays[0]
        figures["val_top1"] = 100 * judged[best][0]
        shown = ", ".join(f"{name} {figures[name]:.1f}" for name in (f"top{k}" for k in self.topk))
        print_log(
            f"linear probe ({name}): {len(query)} test videos, trained on {len(gallery)}: "
            f"{shown} with lr {chosen.lrs[0]:g} and weight decay {chosen.weight_decays[0]:g}, "
            f"chosen of {len(judged)} settings on {int(cut.sum())} training videos set aside "
            f"(top1 {figures['val_top1']:.1f})",
            logger="current",
        )
        return figures, dict(sweep=self._sweep(judged))

    def _choose(self, judged: list[tuple[float, float]]) -> int:
        """Position of the most accurate setting; of equal ones, that of the lowest loss."""
        finite = [i for i, (_, loss) in enumerate(judged) if np.isfinite(loss)]
        if not finite:
            raise ValueError(
                f"The linear probe diverged with every learning rate of {self.settings.lrs}: set "
                "smaller lrs."
            )
        best = max(finite, key=lambda i: (judged[i][0], -judged[i][1]))
        lrs = self.settings.lrs
        edges = {min(lrs), max(lrs)}
        if len(edges) > 1 and lrs[best] in edges:
            print_log(
                f"The linear probe chose the learning rate {lrs[best]:g}, at the edge of its "
                "sweep: try lrs beyond it.",
                logger="current",
                level=logging.WARNING,
            )
        return best

    def _sweep(self, judged: list[tuple[float, float]]) -> list[dict[str, float | None]]:
        settings = zip(self.settings.lrs, self.settings.weight_decays, judged)
        return [
            dict(
                lr=lr,
                weight_decay=decay,
                val_top1=100 * accuracy if np.isfinite(loss) else None,
            )
            for lr, decay, (accuracy, loss) in settings
        ]


def _labelled(videos: EmbeddedVideos) -> LabelledClips:
    clips, begins = videos.embeddings.clips()
    return LabelledClips.normalized(clips, begins, videos.labels, search_device())
