"""Clustering of (N, D) embeddings into (N,) labels, without a model or a dataset."""

from .all_ranks import cluster_on_all_ranks
from .finch import FINCH, FinchResult, finch
from .kmeans import KMeans, SphericalKMeans
from .neighbors import first_neighbors
from .quality import cluster_quality
from .scikit_learn import DBSCAN, OPTICS, AgglomerativeClustering

__all__ = [
    "DBSCAN",
    "FINCH",
    "OPTICS",
    "AgglomerativeClustering",
    "FinchResult",
    "KMeans",
    "SphericalKMeans",
    "cluster_on_all_ranks",
    "cluster_quality",
    "finch",
    "first_neighbors",
]
