"""Pictures of what was learned and found; importing this loads matplotlib."""

from .curves import training_curves
from .gallery import retrieval_gallery, video_strip
from .scalars import read_scalars

__all__ = ["read_scalars", "retrieval_gallery", "training_curves", "video_strip"]
