"""Average linkage by cosine distance in O(N) memory, from the sums of clusters alone."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from .equal_rows import lowest_copies
from .prepared_rows import PreparedRows

_BLOCK_ELEMENTS = 1 << 20
_LEAST_ROWS = 64


def average_linkage(rows: PreparedRows, threshold: float) -> np.ndarray:
    """Merge the two clusters of least mean cosine distance until none are below a threshold.

    The mean of ``1 - cos(x, y)`` over the pairs of two clusters is one less the inner product of
    the means of their unit rows, so no distance between points need be kept. Average linkage is
    reducible: a merge never brings the new cluster nearer to a third than both its parts were.
    So all pairs of mutually nearest clusters can be merged at once (Murtagh, The Computer Journal
    1983), a cluster whose nearest is as far as the threshold is finished, and one whose nearest
    was not merged need not be searched for again.

    Args:
        rows: N rows, prepared for the cosine metric. A zero row is at distance 1 from all.
        threshold: Clusters this far apart or farther are not merged.

    Returns:
        (N,) int64, the lowest row of the cluster.
    """
    starts = lowest_copies(rows) if threshold > 0 else np.arange(len(rows))
    lowest, cluster_of = np.unique(starts, return_inverse=True)
    clusters = _Means(rows, torch.from_numpy(cluster_of).to(rows.device), len(lowest))
    parent = torch.arange(len(lowest), device=rows.device)
    live = parent.clone()
    nearest = torch.zeros_like(live)
    distance = torch.empty(len(live), dtype=torch.float64, device=rows.device)
    stale = torch.ones_like(live, dtype=torch.bool)
    while True:
        search = live[stale[live]]
        nearest[search], distance[search] = clusters.nearest(search, live)
        stale[search] = False
        live = live[distance[live] < threshold]
        if not len(live):
            break
        pairs = torch.stack([live, nearest[live]])
        pairs = pairs[:, (nearest[pairs[1]] == live) & (live < pairs[1])]
        if not pairs.size(1):
            # Rounding of equal distances has closed a circle.
            closest = live[distance[live].argmin()]
            pairs = torch.stack([closest, nearest[closest]]).sort().values[:, None]
        kept, gone = pairs
        clusters.merge(kept, gone)
        parent[gone] = kept
        stale[pairs] = True
        stale[live] |= stale[nearest[live]]
        live = live[parent[live] == live]
    while not torch.equal(parent, parent[parent]):
        parent = parent[parent]
    return lowest[parent.cpu().numpy()[cluster_of]]


class _Means:
    """Means of unit rows, by cluster.

    Args:
        rows: N rows.
        cluster_of: (N,) int64 in 0..num_clusters - 1.
        num_clusters: Clusters, none empty.
    """

    def __init__(self, rows: PreparedRows, cluster_of: Tensor, num_clusters: int) -> None:
        shape = (num_clusters, rows.dim)
        self.sums = torch.zeros(shape, dtype=torch.float64, device=rows.device)
        for block in rows.blocks():
            self.sums.index_add_(0, cluster_of[block], rows.exact(block))
        self.counts = torch.bincount(cluster_of, minlength=num_clusters)

    def merge(self, kept: Tensor, gone: Tensor) -> None:
        """Give clusters (P,) the rows of others (P,), all different."""
        self.sums[kept] += self.sums[gone]
        self.counts[kept] += self.counts[gone]

    def nearest(self, search: Tensor, live: Tensor) -> tuple[Tensor, Tensor]:
        """Which of the clusters ``live`` (L,) is nearest to each of ``search`` (S,), and how near.

        Args:
            search: Some of ``live``.
            live: Ascending.

        Returns:
            Clusters (S,) int64 and distances (S,) float64, inf if there is no other cluster.
        """
        found = torch.empty_like(search)
        distance = torch.empty(len(search), dtype=torch.float64, device=search.device)
        columns = self._means(live).t()
        step = max(_LEAST_ROWS, _BLOCK_ELEMENTS // len(live))
        for some, index, gap in zip(search.split(step), found.split(step), distance.split(step)):
            products = self._means(some) @ columns
            products.scatter_(1, torch.searchsorted(live, some)[:, None], -torch.inf)
            best = products.max(1)
            index.copy_(live[best.indices])
            gap.copy_((1 - best.values).clamp_min_(0))
        return found, distance

    def _means(self, clusters: Tensor) -> Tensor:
        return self.sums[clusters] / self.counts[clusters, None]
