"""Features of videos on disk: computed once, by several ranks, resumable, and read back."""

from .clip_features import clip_features
from .extract import Extraction, extract_features
from .feature_set import FeatureSet, load_features
from .fingerprint import FeatureKey, config_hash, videos_hash, weights_hash
from .loop import FeatureTestLoop

__all__ = [
    "Extraction",
    "FeatureKey",
    "FeatureSet",
    "FeatureTestLoop",
    "clip_features",
    "config_hash",
    "extract_features",
    "load_features",
    "videos_hash",
    "weights_hash",
]
