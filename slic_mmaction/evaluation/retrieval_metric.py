"""R@k of a validation or test loop."""

from __future__ import annotations

from collections.abc import Sequence

from mmaction.registry import METRICS
from mmengine.dist import get_dist_info, is_main_process
from mmengine.logging import print_log

from ..nearest import nearest, search_device
from ..ranks import gather_rows, share_of, together
from .average_precision import average_precisions
from .embedded_videos import EmbeddedVideos
from .gallery_metric import GalleryMetric, possible_ks
from .neighbor_file import RetrievalNeighbors
from .per_class import per_class_table
from .protocols import SeenAs
from .recall import recall_of_hits


@METRICS.register_module()
class VideoRetrievalMetric(GalleryMetric):
    """Nearest-neighbour retrieval of test videos among training videos.

    Evaluates the videos of :class:`RetrievalDataset` by the embeddings that
    :meth:`SLICHead.predict` writes or :class:`FeatureTestLoop` stores: R@k is the percentage of
    queries with a gallery video of their class among the k nearest by cosine. The protocol is
    not configured here: the pipeline's :class:`SampleProtocolClips` puts it on every data
    sample, and the result line repeats it. Every query counts. ``details`` then holds the recall
    of each class.

    Keep the best checkpoint with ``CheckpointHook(save_best='retrieval/R@1',
    rule='greater')``; MMEngine cannot guess the rule.

    Args:
        ks (Sequence[int]): Numbers of neighbours. Those beyond the size of the gallery are
            left out, with a warning. Defaults to (1, 5, 10, 20, 50).
        mean_average_precision (bool): Whether to add ``mAP``, the mean over queries of
            :func:`average_precisions`, in percent. Defaults to False.
        out_file (str, optional): ``.npz`` to which the neighbours found are written, see
            :class:`RetrievalNeighbors`. Defaults to None.
        collect_device (str): As in MMEngine. Defaults to ``'cpu'``.
        prefix (str, optional): Of the names of the results. Defaults to ``'retrieval'``.
    """

    default_prefix = "retrieval"

    def __init__(
        self,
        ks: Sequence[int] = (1, 5, 10, 20, 50),
        mean_average_precision: bool = False,
        out_file: str | None = None,
        collect_device: str = "cpu",
        prefix: str | None = None,
    ) -> None:
        super().__init__(collect_device=collect_device, prefix=prefix)
        if not ks or min(ks) < 1:
            raise ValueError(f"VideoRetrievalMetric's ks are positive integers, but got {ks}.")
        self.ks = sorted(set(ks))
        self.mean_average_precision = mean_average_precision
        self.out_file = out_file

    def measure(
        self, query: EmbeddedVideos, gallery: EmbeddedVideos, seen: SeenAs
    ) -> dict[str, float]:
        """R@k and, if asked for, mAP, in percent; see :meth:`GalleryMetric.measure`.

        Raises:
            ValueError: If the gallery is smaller than every k.
        """
        ks = possible_ks(self.ks, len(gallery))
        prepared = seen.rule.prepared
        device = search_device()
        queries = prepared(query.embeddings.means()).to(device)
        stored = prepared(gallery.embeddings.means()).to(device)
        share = share_of(len(query), *get_dist_info())
        own = slice(share.start, share.stop)
        found = together(lambda: nearest(queries[own], stored, ks[-1]))
        similarities, indices = (gather_rows(part, len(query)) for part in found)
        neighbors = RetrievalNeighbors(
            query_videos=query.videos,
            query_labels=query.labels,
            gallery_videos=gallery.videos,
            gallery_labels=gallery.labels,
            indices=indices.numpy(),
            similarities=similarities.numpy(),
        )
        figures = {f"R@{k}": 100 * r for k, r in recall_of_hits(neighbors.hits, ks).items()}
        if self.mean_average_precision:
            precisions = together(
                lambda: average_precisions(queries[own], query.labels[own], stored, gallery.labels)
            )
            figures["mAP"] = 100 * float(gather_rows(precisions, len(query)).mean())
        hits, labels = neighbors.hits, query.labels
        self.details = dict(per_class=per_class_table(hits, labels, query.videos, ks))
        if self.out_file is not None and is_main_process():
            neighbors.save(self.out_file)
        shown = ", ".join(f"{name} {value:.1f}" for name, value in figures.items())
        print_log(
            f"retrieval (protocol {seen.clips}, feature {seen.feature}): {len(query)} queries in "
            f"{len(gallery)} gallery videos: {shown}",
            logger="current",
        )
        return figures
