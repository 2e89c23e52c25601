"""Pictures and pages of trainings and collections; importing this loads matplotlib.

The page of a training, :func:`.training_report.training_report`, also needs MMAction2.
"""

from .collection_pages import cluster_page, search_page
from .gallery import retrieval_gallery, video_strip
from .scalars import read_scalars
from .video_map import map_page

__all__ = [
    "cluster_page",
    "map_page",
    "read_scalars",
    "retrieval_gallery",
    "search_page",
    "video_strip",
]
