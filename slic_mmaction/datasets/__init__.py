"""Datasets for pretraining and retrieval, and the store of their pseudo-labels."""

from .cluster_aware_dataset import ClusterAwareDataset
from .label_store import PseudoLabelStore
from .retrieval_dataset import RetrievalDataset

__all__ = ["ClusterAwareDataset", "PseudoLabelStore", "RetrievalDataset"]
