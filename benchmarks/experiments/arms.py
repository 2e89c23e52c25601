"""Arms of the experiments: the changes of each to the config."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from mmengine.config import Config

Change = Callable[[Config], None]

TEMPORAL = dict(type="TemporalDiscriminationLoss", margin=0.04)
INFO_NCE = dict(type="PseudoLabelInfoNCELoss", temperature=0.1)


def clustering(**options: Any) -> Change:
    """Return a change of options of PseudoLabelHook."""

    def change(cfg: Config) -> None:
        # Not update(), which would merge the options of two clusterers.
        for name, value in options.items():
            cfg.custom_hooks[0][name] = value

    return change


def positives(p: float) -> Change:
    """Return a change of the share of positives from the anchor's own video."""

    def change(cfg: Config) -> None:
        cfg.train_dataloader.dataset.p_same_video = p

    return change


def losses(*configs: dict[str, Any], extra_views: tuple[str, ...] = ()) -> Change:
    """Return a change of the losses and of the views that they need."""

    def change(cfg: Config) -> None:
        cfg.model.cls_head.losses = list(configs)
        cfg.train_dataloader.dataset.extra_views = list(extra_views)

    return change


def triplet(**options: Any) -> dict[str, Any]:
    """Return the config of the paper's loss over pseudo-labels."""
    return dict(dict(type="PseudoLabelTripletLoss", margin=0.2), **options)


def second_view(transform: dict[str, Any]) -> Change:
    """Return a change that shows some positives and second anchor views in another modality."""

    def change(cfg: Config) -> None:
        steps = cfg.train_dataloader.dataset.pipeline
        cfg.train_dataloader.dataset.pipeline = [*steps[:3], transform, *steps[3:]]

    return change


def by_differences_too(cfg: Config) -> None:
    """Cluster by the embeddings of clips and of their frame differences."""
    steps = list(cfg.custom_hooks[0].pipeline)
    after = [step.type for step in steps].index("DecodeFrames") + 1
    steps.insert(after, dict(type="FrameDifference", prob=1.0))
    cfg.custom_hooks[0].second_pipeline = steps


def embed_clips(count: int) -> Change:
    """Return a change that clusters the mean of several clips of each video, not one clip."""

    def change(cfg: Config) -> None:
        cfg.custom_hooks[0].pipeline[1].num_clips = count

    return change


def true_labels(cfg: Config) -> None:
    """Use true labels instead of clusters, for an upper bound: NOT self-supervised."""
    cfg.custom_imports.imports.append("slic_mmaction.hooks.true_labels_upper_bound")
    cfg.custom_hooks[0].clusterer = None
    cfg.custom_hooks.append(dict(type="TrueLabelsUpperBoundHook"))


# Every video has its own pseudo-label; positives are from the same video.
INSTANCE = (clustering(clusterer=None), positives(1.0))
# Clusters from a later epoch on, and half of the positives from them.
LATE = (losses(INFO_NCE, TEMPORAL), clustering(begin=10), positives(0.5))
# Below 1, num_clusters is the clusters for each video; FINCH merges the closest first.
MERGED = (
    clustering(clusterer=dict(type="FINCH", num_clusters=0.149), begin=10),
    embed_clips(4),
    positives(0.5),
)
DIFFERENCE = second_view(dict(type="FrameDifference", prob=0.25))
# With a config that has EMAHook.
AVERAGED = clustering(averaged=True)
# After ten epochs: docs/experiments.md has how many pairs are right.
SUREST = clustering(clusterer=dict(type="FINCH", num_clusters=0.2), begin=10)
# Pairs on which two views agree are right more often.
AGREED = clustering(clusterer=dict(type="FINCH", num_clusters=0.125), begin=10)
# Motion descriptors from tools/data/extract_motion.py as the second view, from the start.
MOTION = (
    clustering(
        clusterer=dict(type="FINCH", num_clusters=0.125), descriptors="data/ucf101/motion.npz"
    ),
    embed_clips(4),
)
# The same labels throughout, and fewer clusters, which find pairs of more classes.
MOTION_ALONE = clustering(
    clusterer=dict(type="FINCH", num_clusters=0.0875),
    descriptors="data/ucf101/motion.npz",
    pipeline=[],
)
SURE_NOW = clustering(clusterer=dict(type="FINCH", num_clusters=0.15), begin=0)
SPEED, SHUFFLED = dict(type="RelativeSpeedLoss"), dict(type="IntraVideoNegativeLoss")

ARMS: dict[str, tuple[Change, ...]] = {
    "slic": (),
    "instance": INSTANCE,
    "no_temporal": (losses(triplet()),),
    "SUPERVISED_upper_bound": (true_labels,),
    # The result of docs/experiments.md: late clusters, four clips, the closest merges only.
    "merged": MERGED,
    # Other objectives
    "info_nce": (losses(INFO_NCE, TEMPORAL),),
    "info_nce_instance": (losses(INFO_NCE, TEMPORAL), *INSTANCE),
    "info_nce_late": LATE,
    "info_nce_late20": (*LATE, clustering(begin=20)),
    "SUPERVISED_info_nce": (losses(INFO_NCE, TEMPORAL), true_labels),
    "info_nce_queue": (
        losses(dict(INFO_NCE, queue_size=512, channels=128), TEMPORAL),
        lambda cfg: cfg.custom_hooks.append(dict(type="EmbeddingQueueHook")),
    ),
    "speed": (losses(triplet(), TEMPORAL, SPEED, extra_views=("fast_positive",)),),
    "intra_negatives": (losses(triplet(), TEMPORAL, SHUFFLED, extra_views=("shuffled_anchor",)),),
    # One thing of the paper's recipe changed
    "level1": (clustering(clusterer=dict(type="FINCH", level=1)),),
    "interval1": (clustering(interval=1),),
    "interval10": (clustering(interval=10),),
    "late": (clustering(begin=10),),
    "p00": (positives(0.0),),
    "p05": (positives(0.5),),
    "p10": (positives(1.0),),
    "margin01": (losses(triplet(margin=0.1), TEMPORAL),),
    "margin04": (losses(triplet(margin=0.4), TEMPORAL),),
    "kmeans50": (clustering(clusterer=dict(type="SphericalKMeans", num_clusters=50)),),
    "kmeans150": (clustering(clusterer=dict(type="SphericalKMeans", num_clusters=150)),),
    "four_clips": (embed_clips(4),),
    # Negatives of all ranks, with run.py --ranks 2; "slic" has those of one rank.
    "gathered": (losses(triplet(gather=True), dict(TEMPORAL)),),
    "difference": (DIFFERENCE,),
    "flow": (second_view(dict(type="FlowView", source="dis", prob=0.25)),),
    "instance_difference": (*INSTANCE, DIFFERENCE),
    # One thing of info_nce_late changed
    "info_nce_late_p02": (*LATE, positives(0.2)),
    "info_nce_late_level1": (*LATE, clustering(clusterer=dict(type="FINCH", level=1))),
    "info_nce_late_four_clips": (*LATE, embed_clips(4)),
    "info_nce_late_difference": (*LATE, DIFFERENCE),
    # Clusters of the averaged weights' embeddings, of four clips
    "info_nce_surest": (*LATE, AVERAGED, SUREST, embed_clips(4)),
    "info_nce_surest20": (*LATE, AVERAGED, SUREST, clustering(begin=20), embed_clips(4)),
    "info_nce_two_views": (*LATE, AVERAGED, AGREED, embed_clips(4), by_differences_too),
    "info_nce_two_views_p02": (
        *(*LATE, AVERAGED, AGREED, embed_clips(4), by_differences_too),
        clustering(begin=0),
        positives(0.2),
    ),
    # Clusters of embeddings and of motion boundary histograms: docs/motion.md
    "info_nce_motion": (losses(INFO_NCE, TEMPORAL), AVERAGED, *MOTION),
    # Embeddings and motion, after embeddings have learned; the closest merges only
    "info_nce_joined20": (*LATE, AVERAGED, *MOTION, SUREST, clustering(begin=20)),
    "motion_alone": (MOTION_ALONE,),
    "info_nce_motion_alone": (losses(INFO_NCE, TEMPORAL), MOTION_ALONE),
    # From weights that have learned already: second_stage_ucf101.py
    "second_stage_merged": (*LATE, AVERAGED, SURE_NOW, embed_clips(4)),
}


def apply_arm(cfg: Config, name: str) -> None:
    """Change a config to that of an arm.

    Raises:
        ValueError: If there is no such arm.
    """
    if name not in ARMS:
        raise ValueError(f"There is no arm {name!r}: choose from {', '.join(ARMS)}.")
    for change in ARMS[name]:
        change(cfg)


def count_clusters(cfg: Config) -> None:
    """Replace a share of clusters for each video by a number, for the training videos."""
    clusterer = cfg.custom_hooks[0].clusterer
    if clusterer and 0 < clusterer.get("num_clusters", 0) < 1:
        lines = Path(cfg.train_dataloader.dataset.dataset.ann_file).read_text("utf-8").splitlines()
        clusterer.num_clusters = round(clusterer.num_clusters * len(lines))
