"""Retrieval: nearest neighbours, recall, the named protocols, and the metric of MMEngine."""

from .neighbor_file import RetrievalNeighbors
from .protocols import PROTOCOLS, RetrievalProtocol, get_protocol
from .recall import recall_at_k, recall_of_hits, top_k_neighbors
from .retrieval_metric import VideoRetrievalMetric

__all__ = [
    "PROTOCOLS",
    "RetrievalNeighbors",
    "RetrievalProtocol",
    "VideoRetrievalMetric",
    "get_protocol",
    "recall_at_k",
    "recall_of_hits",
    "top_k_neighbors",
]
