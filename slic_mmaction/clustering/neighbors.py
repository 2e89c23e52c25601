"""Exact nearest other point of every embedding, the same from every backend."""

from __future__ import annotations

import numpy as np

from .approximate import approximate_neighbors
from .embeddings import Embeddings, check_matrix
from .exchange import Alone
from .prepared_rows import PreparedRows
from .search import check_options, choose_search
from .search_together import search_together
from .team import current_team


def first_neighbors(
    embeddings: Embeddings,
    metric: str = "cosine",
    backend: str = "auto",
    precision: str = "auto",
    approximate_above: int | None = None,
) -> np.ndarray:
    """Index of the nearest other point of every point.

    The search runs in blocks, each pair of them multiplied once: memory O(N), never N x N.
    Candidates that it cannot tell apart are compared in float64, so the result depends neither
    on the backend nor on its precision, and ties go to the lowest index. A point is never its
    own neighbour; exact duplicates are neighbours of each other ("the second of the two
    nearest" could be the point itself).

    Inside :func:`~slic_mmaction.clustering.cluster_on_all_ranks` all ranks take part.

    Args:
        embeddings: (N, D) array or tensor, N >= 2, searched where it is. Used in float32; with
            the cosine metric rows are normalised first. An all-zero row has cosine similarity 0
            to everything.
        metric: ``'cosine'`` or ``'euclidean'``.
        backend: ``'torch'`` (any device), ``'faiss'`` (flat index; on the GPU for tensors there)
            or ``'auto'``, the faster one in a trial that is logged.
        precision: Of the search, before candidates are compared: ``'float32'``, ``'bfloat16'``
            (torch and cosine only) or ``'auto'``, by the same trial.
        approximate_above: More points than this are searched in random cells only, with the
            measured recall of a sample in the log; None searches exactly whatever N is.

    Returns:
        (N,) int64.

    Raises:
        ValueError: If there is one point only, a value is NaN or Inf, or an option is unknown.
        ImportError: If faiss is asked for and not installed.
    """
    matrix = check_matrix(embeddings, metric)
    check_options(metric, backend, precision)
    if len(matrix) < 2:
        raise ValueError(
            "first_neighbors needs at least two embeddings: a single one has no neighbour."
        )
    if approximate_above is not None and len(matrix) > approximate_above:
        return approximate_neighbors(PreparedRows(matrix, metric))
    search = choose_search(matrix, metric, backend, precision)
    team = current_team()
    if team is None:
        return search_together(matrix, metric, search, Alone())
    return team.search(matrix, metric, search)
