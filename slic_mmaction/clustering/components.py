"""Connected components of a graph whose edges come in portions and are not kept."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from torch import Tensor

_PORTION = 1 << 20  # edges


class Components:
    """Components of N nodes, joined by edges as they come.

    Edges inside a component are dropped at once and the others when there are enough of them to
    work out the components anew, so memory is O(N).

    Args:
        num_nodes: N.
    """

    def __init__(self, num_nodes: int) -> None:
        self._lowest = np.arange(num_nodes)
        self._edges: list[np.ndarray] = []
        self._waiting = 0

    def join(self, i: Tensor, j: Tensor) -> None:
        """Add edges between nodes (E,) and (E,)."""
        edges = np.stack([self._lowest[i.cpu().numpy()], self._lowest[j.cpu().numpy()]])
        edges = edges[:, edges[0] != edges[1]]
        self._edges.append(edges)
        self._waiting += edges.shape[1]
        if self._waiting > max(_PORTION, len(self._lowest)):
            self._merge()

    def are_one(self, *ranges: slice) -> bool:
        """Whether all nodes of some ranges are known to be in one component."""
        first = self._lowest[ranges[0].start]
        return all(bool((self._lowest[nodes] == first).all()) for nodes in ranges)

    def lowest(self) -> np.ndarray:
        """Lowest node (N,) int64 of each node's component."""
        self._merge()
        return self._lowest

    def _merge(self) -> None:
        if not self._waiting:
            return
        i, j = np.concatenate(self._edges, 1)
        size = len(self._lowest)
        graph = coo_matrix((np.ones(len(i)), (i, j)), (size, size))
        component = connected_components(graph, directed=False)[1][self._lowest]
        # The first node of a component is its lowest.
        _, first, inverse = np.unique(component, return_index=True, return_inverse=True)
        self._lowest = first[inverse]
        self._edges, self._waiting = [], 0
