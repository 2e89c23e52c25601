"""Losses of SLIC: functions of tensors, and the modules that configs name."""

from .distances import paired_distance, pairwise_distance
from .info_nce import PseudoLabelInfoNCELoss, pseudo_label_info_nce
from .mining import MinedNegatives, mine_negatives
from .temporal import (
    IntraVideoNegativeLoss,
    RelativeSpeedLoss,
    TemporalDiscriminationLoss,
    temporal_discrimination_loss,
)
from .triplet import PseudoLabelTripletLoss, pseudo_label_triplet_loss

__all__ = [
    "IntraVideoNegativeLoss",
    "MinedNegatives",
    "PseudoLabelInfoNCELoss",
    "PseudoLabelTripletLoss",
    "RelativeSpeedLoss",
    "TemporalDiscriminationLoss",
    "mine_negatives",
    "paired_distance",
    "pairwise_distance",
    "pseudo_label_info_nce",
    "pseudo_label_triplet_loss",
    "temporal_discrimination_loss",
]
