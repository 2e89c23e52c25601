"""The arms of the experiments: what each changes of the config, and nothing else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from mmengine.config import Config

Change = Callable[[Config], None]

TEMPORAL = dict(type="TemporalDiscriminationLoss", margin=0.04)
INFO_NCE = dict(type="PseudoLabelInfoNCELoss", temperature=0.1)


def clustering(**options: Any) -> Change:
    """Other options of PseudoLabelHook."""

    def change(cfg: Config) -> None:
        cfg.custom_hooks[0].update(options)

    return change


def positives(p: float) -> Change:
    """Another share of positives from the anchor's own video."""

    def change(cfg: Config) -> None:
        cfg.train_dataloader.dataset.p_same_video = p

    return change


def losses(*configs: dict[str, Any], extra_views: tuple[str, ...] = ()) -> Change:
    """Other losses, and the views they need."""

    def change(cfg: Config) -> None:
        cfg.model.cls_head.losses = list(configs)
        cfg.train_dataloader.dataset.extra_views = list(extra_views)

    return change


def triplet(**options: Any) -> dict[str, Any]:
    """The paper's loss over pseudo-labels."""
    return dict(dict(type="PseudoLabelTripletLoss", margin=0.2), **options)


def true_labels(cfg: Config) -> None:
    """NOT self-supervised: true labels in the place of clusters, for an upper bound."""
    cfg.custom_imports.imports.append("slic_mmaction.hooks.true_labels_upper_bound")
    cfg.custom_hooks[0].clusterer = None
    cfg.custom_hooks.append(dict(type="TrueLabelsUpperBoundHook"))


# Every video its own pseudo-label, positives from the same video.
INSTANCE = (clustering(clusterer=None), positives(1.0))

ARMS: dict[str, tuple[Change, ...]] = {
    "slic": (),
    "instance": INSTANCE,
    "no_temporal": (losses(triplet()),),
    "SUPERVISED_upper_bound": (true_labels,),
    # Other objectives
    "info_nce": (losses(INFO_NCE, TEMPORAL),),
    "info_nce_instance": (losses(INFO_NCE, TEMPORAL), *INSTANCE),
    "info_nce_late": (losses(INFO_NCE, TEMPORAL), clustering(begin=10), positives(0.5)),
}


def apply_arm(cfg: Config, name: str) -> None:
    """Make a config that of an arm.

    Raises:
        ValueError: If there is no such arm.
    """
    if name not in ARMS:
        raise ValueError(f"There is no arm {name!r}: choose from {', '.join(ARMS)}.")
    for change in ARMS[name]:
        change(cfg)
