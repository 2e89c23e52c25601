"""An embedded folder of videos: index, search, clusters, duplicates, export."""

from .collection import Collection
from .search import Hit

__all__ = ["Collection", "Hit"]
