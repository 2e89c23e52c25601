"""Accuracy of a linear classifier on frozen features."""

from __future__ import annotations

import logging
import re
from collections.abc import Sequence
from itertools import product
from typing import Any

import numpy as np
from mmaction.registry import METRICS
from mmengine.logging import print_log
from torch.nn.functional import nll_loss

from ..ranks import on_main
from .feature_set import FeatureSet
from .gallery_metric import GalleryMetric, shown
from .knn_metric import top_k_accuracy
from .linear_probe import LabelledClips, validation_cut, video_groups
from .protocols import name_in_keys

BATCH_SIZE = 256
"""Number of videos in a step."""
VAL_SHARE = 0.2
"""Share of each class's groups that is used to choose the setting."""


@METRICS.register_module()
class LinearProbeMetric(GalleryMetric):
    """Accuracy on the queries of a linear classifier trained on the gallery.

    The network and its BatchNorm statistics are frozen. Each clip's feature is L2-normalised.
    All learning rates and weight decays are trained at once on a part of the training videos.
    The other part, of whole recordings, is used to choose the best setting. This setting is
    trained again on all training videos and tested once on the test videos, with the mean of the
    probabilities of a video's clips. With :class:`FeatureTestLoop`, an epoch uses one random clip
    of each video; with MMEngine's own loops, the mean of a video's clips.

    Results are ``linear/iic/top1`` and so on, with the chosen ``lr`` and ``weight_decay``.
    ``details`` has the validation accuracy of every setting.

    Args:
        lrs: Learning rates. They are large, because normalised features are small.
        weight_decays: Weight decays of weights and biases.
        epochs: Number of passes over the videos.
        group_pattern: Regular expression for the name of the recording in a file name, see
            :func:`video_groups`. By default each video is a recording of its own.
        topk: Values of k of the reported top-k accuracies.
        seed: Seed of the validation split, the batches and the clips.
        **options: ``collect_device`` and ``prefix`` of MMEngine's ``BaseMetric``. The default
            prefix is ``linear``.

    Raises:
        ValueError: If an option is out of range, or the pattern is invalid.

    Examples:
        >>> from mmaction.registry import METRICS
        >>> from slic_mmaction.evaluation import FeatureSet
        >>> metric = METRICS.build(dict(type="LinearProbeMetric", lrs=[1.0, 10.0], epochs=20))
        >>> names, rows, labels = list("abcd"), np.eye(2)[[0, 0, 1, 1]], np.array([0, 0, 1, 1])
        >>> rows = rows.astype(np.float32)
        >>> videos = FeatureSet.in_memory(names, rows, [1] * 4, "projection", "iic", None, labels)
        >>> metric.evaluate_features(query=videos, gallery=videos)["linear/iic/top1"]
        100.0
    """

    default_prefix = "linear"

    def __init__(
        self,
        lrs: Sequence[float] = (0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
        weight_decays: Sequence[float] = (0.0, 1e-6, 1e-5, 1e-4, 1e-3),
        epochs: int = 100,
        group_pattern: str | None = None,
        topk: Sequence[int] = (1, 5),
        seed: int = 0,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        positive = all(values and min(values) > 0 for values in (lrs, topk, [epochs]))
        if not positive or not weight_decays or min(weight_decays) < 0 or seed < 0:
            raise ValueError(
                "LinearProbeMetric needs lrs, topk and epochs above 0, and weight_decays and a "
                f"seed of at least 0, but got {lrs=}, {topk=}, {epochs=}, {weight_decays=} and "
                f"{seed=}."
            )
        try:
            re.compile(group_pattern or "")
        except re.error as error:
            raise ValueError(
                f"The group_pattern {group_pattern!r} is not a valid regular expression ({error}): "
                "correct it."
            ) from error
        self.settings = list(product(sorted(set(lrs)), sorted(set(weight_decays))))
        self.epochs = epochs
        self.seed = seed
        self.group_pattern = group_pattern
        self.topk = sorted(set(topk))

    def measure(self, query: FeatureSet, gallery: FeatureSet) -> dict[str, float]:
        """Return accuracies in percent, and the chosen setting.

        Raises:
            ValueError: If no validation videos can be drawn, or all learning rates are too high.
        """
        figures, self.details = on_main(lambda: self._probe(query, gallery))
        key = name_in_keys(query.full_name)
        return {f"{key}/{name}": value for name, value in figures.items()}

    def _probe(
        self, query: FeatureSet, gallery: FeatureSet
    ) -> tuple[dict[str, float], dict[str, Any]]:
        train, test = LabelledClips.of(gallery), LabelledClips.of(query)
        num_classes = int(max(gallery.labels.max(), query.labels.max())) + 1
        groups = video_groups(gallery.names, self.group_pattern)
        cut = validation_cut(gallery.labels, groups, VAL_SHARE, self.seed)

        held_out, how = train.part(cut), (self.epochs, BATCH_SIZE, self.seed)
        judged = []
        for weights, bias in zip(*train.part(~cut).train(num_classes, self.settings, *how)):
            scores = held_out.probabilities(weights, bias)
            accuracy = top_k_accuracy(scores, held_out.labels, 1)
            # Not finite for a classifier that diverged.
            loss = float(nll_loss(scores.clamp(min=1e-12).log(), held_out.labels))
            judged.append((accuracy, loss))
        best = self._choose(judged)
        lr, decay = self.settings[best]
        weights, bias = train.train(num_classes, [(lr, decay)], *how)
        scores = test.probabilities(weights[0], bias[0])
        figures = {f"top{k}": 100 * top_k_accuracy(scores, test.labels, k) for k in self.topk}
        accuracies = shown(figures)
        figures.update(lr=lr, weight_decay=decay, val_top1=100 * judged[best][0])
        self._log(
            "linear probe",
            query,
            gallery,
            f"{accuracies} with lr {lr:g} and weight decay {decay:g}, chosen of {len(judged)} "
            f"settings on {int(cut.sum())} training videos set aside "
            f"(top1 {figures['val_top1']:.1f})",
        )
        sweep = [
            dict(lr=lr, weight_decay=decay, val_top1=100 * top1 if np.isfinite(loss) else None)
            for (lr, decay), (top1, loss) in zip(self.settings, judged)
        ]
        return figures, dict(sweep=sweep)

    def _choose(self, judged: list[tuple[float, float]]) -> int:
        """Find the most accurate setting; of equally accurate ones, that of the lowest loss."""
        lrs = [lr for lr, _ in self.settings]
        finite = [i for i, (_, loss) in enumerate(judged) if np.isfinite(loss)]
        if not finite:
            raise ValueError(
                f"The linear probe diverged with every learning rate of {sorted(set(lrs))}: set "
                "smaller lrs."
            )
        best = max(finite, key=lambda i: (judged[i][0], -judged[i][1]))
        if lrs[0] < lrs[-1] and lrs[best] in (lrs[0], lrs[-1]):
            print_log(
                f"The linear probe chose the learning rate {lrs[best]:g}, at the edge of its "
                "sweep: try lrs beyond it.",
                logger="current",
                level=logging.WARNING,
            )
        return best
