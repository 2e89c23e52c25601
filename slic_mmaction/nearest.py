"""Exact similarities, and exact nearest neighbours of queries in a gallery.

First neighbours within a set (``clustering/neighbors.py``) use the same comparison, but other
blocks: float32, each pair once, with one candidate per row for float64. For the 20 to 50
neighbours of a retrieval, that takes up to twice the time of float64 blocks (1,530 x 3,570 videos
of 2,048 dimensions, one thread), and its order of summation changes the last bit of one in 2,000
cosines, which are the weights of kNN.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

Array = np.ndarray | Tensor

METRICS = ("cosine", "euclidean")
# Similarities in memory at a time (128 MiB of float64), whatever the number of queries.
BLOCK_ELEMENTS = 2**24
# The last bits of a product depend on how a library splits the matrices, and so on the number of
# ranks and the block. After rounding, equal videos have equal similarities everywhere.
_STEPS = float(2**40)


def check_matrix(embeddings: Array, metric: str, name: str = "embeddings") -> Tensor:
    """Check embeddings and return them as a tensor, without a copy.

    Args:
        embeddings: (N, D) array or tensor, N >= 1, of any real dtype, memory-mapped or not.
        metric: ``'cosine'`` or ``'euclidean'``.
        name: Name of the embeddings in messages.

    Returns:
        (N, D) detached tensor of a float dtype, on the device of ``embeddings``.

    Raises:
        ValueError: If the shape, a value or the metric is invalid.
    """
    if metric not in METRICS:
        raise ValueError(f"The metric is one of {', '.join(METRICS)}, but got {metric!r}.")
    if not isinstance(embeddings, Tensor):
        embeddings = np.asarray(embeddings)  # also accepts a data frame
        if embeddings.dtype.kind not in "biuf":
            raise ValueError(f"The {name} must be numbers, but are of type {embeddings.dtype}.")
    with warnings.catch_warnings():
        # A read-only memory map is fine: nothing here writes into embeddings.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        matrix = torch.as_tensor(embeddings).detach()
    if matrix.ndim != 2 or not matrix.numel():
        raise ValueError(
            f"The {name} must be a non-empty (videos, dimensions) array, but have the shape "
            f"{tuple(matrix.shape)}; average the clips of a video first."
        )
    if not matrix.is_floating_point():
        matrix = matrix.float()
    finite = [matrix[rows].isfinite().all(1) for rows in row_blocks(*matrix.shape)]
    bad = (~torch.cat(finite)).nonzero().flatten()
    if len(bad):
        raise ValueError(
            f"{len(bad)} of {len(matrix)} {name} have NaN or Inf, the first in row {int(bad[0])}: "
            "check for a diverged network or a damaged video."
        )
    return matrix


def row_blocks(count: int, width: int, elements: int = 2**22) -> list[slice]:
    """Split the rows of a (count, width) matrix into blocks of about ``elements`` elements."""
    step = max(1, elements // max(1, width))
    return [slice(start, min(start + step, count)) for start in range(0, count, step)]


def exact_rows(rows: Tensor, metric: str) -> Tensor:
    """Convert rows (n, D) to float64, of length 1 for the cosine metric; zero rows stay zero."""
    exact = rows.double()
    if metric == "cosine":
        exact = exact / exact.norm(dim=1, keepdim=True).clamp_min(1e-300)
    return exact


def exact_similarities(x: Tensor, y: Tensor, metric: str) -> Tensor:
    """Compute the similarities (..., n, m) of rows (..., n, D) and (..., m, D).

    Both are from :func:`exact_rows`. Similarities are cosines rounded to 2**-40, or negated
    Euclidean distances rounded to 40 bits.
    """
    if metric == "cosine":
        return _rounded(x @ y.mT, metric)
    # A matrix product would be faster, but loses the digits of small distances.
    return _rounded(-torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist"), metric)


def exact_pair_similarities(x: Tensor, y: Tensor, metric: str) -> Tensor:
    """Compute the similarities (n,) of paired rows (n, D); see :func:`exact_similarities`."""
    return _rounded((x * y).sum(1) if metric == "cosine" else -(x - y).norm(dim=1), metric)


def distances(similarity: Tensor, metric: str) -> Tensor:
    """Convert exact similarities to cosine distances ``1 - cosine`` or Euclidean distances."""
    return 1 - similarity if metric == "cosine" else -similarity


def _rounded(similarity: Tensor, metric: str) -> Tensor:
    if metric == "cosine":
        return similarity.mul_(_STEPS).round_().div_(_STEPS)
    # Distances have no fixed scale.
    fraction, exponent = torch.frexp(similarity)
    return torch.ldexp(fraction.mul_(_STEPS).round_().div_(_STEPS), exponent)


def similarity_blocks(
    query: Array, gallery: Array, elements: int | None = None
) -> Iterator[tuple[slice, Tensor]]:
    """Yield the exact cosines of a block of queries with the whole gallery.

    They are computed in float64 on the device of ``query``, without a Q x G matrix. The cosine
    with a zero vector is 0.

    Args:
        query: (Q, D) float; Q may be 0.
        gallery: (G, D) float, G >= 1.
        elements: Largest number of cosines in a block of more than one query; None means 2**24.

    Yields:
        The slice of B queries and their (B, G) float64 cosines.

    Raises:
        ValueError: If the shapes do not match or a value is not finite.
    """
    if not len(query):
        return
    query = check_matrix(query, "cosine", "query embeddings")
    gallery = check_matrix(gallery, "cosine", "gallery embeddings").to(query.device)
    if query.shape[1] != gallery.shape[1]:
        raise ValueError(
            f"Query embeddings have {query.shape[1]} dimensions and gallery embeddings "
            f"{gallery.shape[1]}: compute both with the same network and feature."
        )
    stored = exact_rows(gallery, "cosine")
    for part in row_blocks(len(query), len(gallery), elements or BLOCK_ELEMENTS):
        yield part, exact_similarities(exact_rows(query[part], "cosine"), stored, "cosine")


def nearest(query: Array, gallery: Array, k: int) -> tuple[Tensor, Tensor]:
    """Find the k exact nearest neighbours of each query in the gallery by cosine, nearest first.

    Of equally near neighbours the lowest gallery index comes first. Memory grows with Q * k, not
    with Q * G.

    Args:
        query: (Q, D) float; Q may be 0.
        gallery: (G, D) float.
        k: Number of neighbours, in 1..G.

    Returns:
        (Q, k) float64 cosines and (Q, k) int64 gallery indices.

    Raises:
        ValueError: If k is out of range, the shapes do not match or a value is not finite.
    """
    if not 1 <= k <= len(gallery):
        raise ValueError(
            f"The number of neighbours must be within 1..{len(gallery)}, the number of gallery "
            f"videos, but got {k}."
        )
    device = query.device if isinstance(query, Tensor) else torch.device("cpu")
    similarities = torch.empty(len(query), k, dtype=torch.float64, device=device)
    indices = torch.empty(len(query), k, dtype=torch.int64, device=device)
    for part, block in similarity_blocks(query, gallery):
        similarities[part], indices[part] = top_k_lowest_index_first(block, k)
    return similarities, indices


def top_k_lowest_index_first(similarity: Tensor, k: int) -> tuple[Tensor, Tensor]:
    """Find the k largest of each row (B, G), largest first; of equal ones the lowest index."""
    values, columns = similarity.topk(k, dim=1)
    # torch.topk returns arbitrary ones of several values equal to the k-th.
    kth = values[:, -1:]
    tied = ((similarity >= kth).sum(dim=1) > k).nonzero().flatten()
    if len(tied):
        above, level = similarity[tied] > kth[tied], similarity[tied] == kth[tied]
        room = k - above.sum(dim=1, keepdim=True)
        keep = above | (level & (level.cumsum(dim=1) <= room))
        columns[tied] = keep.nonzero()[:, 1].reshape(-1, k)
    columns = columns.sort(dim=1).values
    values, order = similarity.gather(1, columns).sort(dim=1, descending=True, stable=True)
    return values, columns.gather(1, order)


def search_device() -> torch.device:
    """Return this process's CUDA GPU if it has one (others lack float64), or the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
