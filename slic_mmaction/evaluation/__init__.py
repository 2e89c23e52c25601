"""Retrieval, kNN and linear probe: the named protocols, their figures, and MMEngine's metrics."""

from .average_precision import average_precisions
from .embedded_videos import ClipEmbeddings, EmbeddedVideos, OneEmbeddingEach
from .gallery_metric import GalleryMetric
from .knn import knn_scores, top_k_accuracy
from .knn_metric import VideoKNNMetric
from .linear_probe_metric import LinearProbeMetric
from .neighbor_file import RetrievalNeighbors
from .per_class import recall_per_class
from .protocols import PROTOCOLS, RetrievalProtocol, SeenAs, get_protocol
from .recall import recall_at_k, recall_of_hits
from .retrieval_metric import VideoRetrievalMetric

__all__ = [
    "PROTOCOLS",
    "ClipEmbeddings",
    "EmbeddedVideos",
    "GalleryMetric",
    "LinearProbeMetric",
    "OneEmbeddingEach",
    "RetrievalNeighbors",
    "RetrievalProtocol",
    "SeenAs",
    "VideoKNNMetric",
    "VideoRetrievalMetric",
    "average_precisions",
    "get_protocol",
    "knn_scores",
    "recall_at_k",
    "recall_of_hits",
    "recall_per_class",
    "top_k_accuracy",
]
