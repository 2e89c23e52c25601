"""Clustering: (N, D) embeddings in, (N,) labels out. No model, no dataset."""

from .density import DBSCAN, OPTICS
from .finch import FINCH, FinchResult, finch
from .kmeans import KMeans, SphericalKMeans, kmeans
from .linkage import AgglomerativeClustering
from .neighbors import first_neighbors
from .quality import cluster_quality
from .team import cluster_on_all_ranks

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
    "kmeans",
]
