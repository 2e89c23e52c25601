"""Losses of SLIC: pure tensor functions and the thin modules that configs name."""

from .distances import paired_distance, pairwise_distance
from .mining import MinedNegatives, mine_negatives
from .temporal import TemporalDiscriminationLoss, temporal_discrimination_loss
from .triplet import PseudoLabelTripletLoss, pseudo_label_triplet_loss

__all__ = [
    "MinedNegatives",
    "PseudoLabelTripletLoss",
    "TemporalDiscriminationLoss",
    "mine_negatives",
    "paired_distance",
    "pairwise_distance",
    "pseudo_label_triplet_loss",
    "temporal_discrimination_loss",
]
