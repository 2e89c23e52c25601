"""Collections of embedded videos: index, search, clusters, duplicates and export."""

from .collection import Collection
from .search import Hit

__all__ = ["Collection", "Hit"]
