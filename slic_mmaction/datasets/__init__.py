"""Datasets for pretraining and retrieval, and the pseudo-labels they share."""

from .cluster_aware_dataset import ClusterAwareDataset
from .label_store import PseudoLabelStore
from .retrieval_dataset import RetrievalDataset

__all__ = ["ClusterAwareDataset", "PseudoLabelStore", "RetrievalDataset"]
