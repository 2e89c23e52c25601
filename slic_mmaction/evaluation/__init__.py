"""Evaluation: protocols, stored features, retrieval, kNN and linear probe."""

from .extract import clip_features, extract_features
from .feature_set import FeatureSet, load_features
from .fingerprint import FeatureKey
from .gallery_metric import GalleryMetric
from .knn_metric import VideoKNNMetric, knn_scores, top_k_accuracy
from .linear_probe_metric import LinearProbeMetric
from .loop import FeatureTestLoop
from .protocols import PROTOCOLS, RetrievalProtocol, SampleProtocolClips, get_protocol
from .recall import average_precisions, recall_at_k
from .retrieval_metric import VideoRetrievalMetric

__all__ = [
    "PROTOCOLS",
    "FeatureKey",
    "FeatureSet",
    "FeatureTestLoop",
    "GalleryMetric",
    "LinearProbeMetric",
    "RetrievalProtocol",
    "SampleProtocolClips",
    "VideoKNNMetric",
    "VideoRetrievalMetric",
    "average_precisions",
    "clip_features",
    "extract_features",
    "get_protocol",
    "knn_scores",
    "load_features",
    "recall_at_k",
    "top_k_accuracy",
]
