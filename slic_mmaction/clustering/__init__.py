"""Clustering: (N, D) embeddings in, (N,) labels out. No model, no dataset."""

from .finch import FINCH, FinchResult, finch
from .neighbors import first_neighbors
from .quality import cluster_quality

__all__ = ["FINCH", "FinchResult", "cluster_quality", "finch", "first_neighbors"]
