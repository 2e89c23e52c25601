"""Similarities of queries with a gallery, block by block and the same on every machine."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Union

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import normalize

Array = Union[np.ndarray, Tensor]

METRICS = ("cosine", "euclidean")
# Similarities held at a time (128 MiB of float64), whatever the number of queries.
BLOCK_ELEMENTS = 2**24
# The sum of a product depends in its last bits on how a library cuts the matrices, hence on the
# number of ranks and the block; rounded, equal videos are equally near wherever they stand.
_STEPS = float(2**40)


def similarity_blocks(
    query: Array, gallery: Array, metric: str = "cosine", elements: int | None = None
) -> Iterator[tuple[slice, Tensor]]:
    """Similarities of a few queries at a time with all of the gallery, in float64.

    Never a Q x G matrix. Computed on the device of ``query``, and rounded to 2**-40. The
    cosine with a zero vector is 0.

    Args:
        query (np.ndarray | Tensor): (Q, D) float.
        gallery (np.ndarray | Tensor): (G, D) float.
        metric (str): ``'cosine'`` or ``'euclidean'``. Defaults to ``'cosine'``.
        elements (int, optional): Largest number of similarities in a block of more than one
            query. Defaults to 2**24.

    Yields:
        tuple[slice, Tensor]: Which queries, B of them, and their (B, G) similarities: cosines,
        or Euclidean distances with a minus sign.

    Raises:
        ValueError: If shapes do not agree, a value is not finite, or the metric is unknown.
    """
    if metric not in METRICS:
        raise ValueError(f"The metric is one of {METRICS}, but got {metric!r}.")
    query = _checked("query", query)
    gallery = _checked("gallery", gallery).to(query.device)
    if query.shape[1] != gallery.shape[1]:
        raise ValueError(
            f"Query embeddings have {query.shape[1]} dimensions and gallery embeddings "
            f"{gallery.shape[1]}: embed both with the same network and feature."
        )
    if metric == "cosine":
        query, gallery = normalize(query, eps=1e-300), normalize(gallery, eps=1e-300)
    rows = max(1, (elements or BLOCK_ELEMENTS) // len(gallery))
    for start in range(0, len(query), rows):
        part = slice(start, min(start + rows, len(query)))
        if metric == "cosine":
            similarity = query[part] @ gallery.T
        else:
            similarity = -torch.cdist(
                query[part], gallery, compute_mode="donot_use_mm_for_euclid_dist"
            )
        yield part, similarity.mul_(_STEPS).round_().div_(_STEPS)


def to_numpy(array: Array) -> np.ndarray:
    """The same numbers as a NumPy array."""
    return array.cpu().numpy() if isinstance(array, Tensor) else np.asarray(array)


def check_labels(name: str, embeddings: Array, labels: Array) -> None:
    """Refuse labels that are not one for each embedding.

    Raises:
        ValueError: If they are not.
    """
    if tuple(labels.shape) != (len(embeddings),):
        raise ValueError(
            f"The {name} has {len(embeddings)} embeddings, so its labels must have the shape "
            f"({len(embeddings)},), but they have {tuple(labels.shape)}."
        )


def _checked(name: str, embeddings: Array) -> Tensor:
    rows = torch.as_tensor(embeddings).detach().double()
    if rows.ndim != 2 or 0 in rows.shape:
        raise ValueError(
            f"The {name} embeddings must be a non-empty (videos, dimensions) array, but have "
            f"the shape {tuple(rows.shape)}; average the clips of a video first."
        )
    finite = rows.isfinite().all(dim=1)
    if not finite.all():
        raise ValueError(
            f"{int((~finite).sum())} of {len(rows)} {name} embeddings are not finite, first "
            f"that of row {int((~finite).nonzero()[0])}: the network has diverged."
        )
    return rows
