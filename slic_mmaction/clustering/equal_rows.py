"""Rows at distance 0 from each other, which every linkage merges first."""

from __future__ import annotations

import numpy as np

from .duplicates import find_duplicates
from .prepared_rows import PreparedRows


def lowest_copies(rows: PreparedRows) -> np.ndarray:
    """Lowest equal row (N,) int64 of each row.

    A zero row equals no other by the cosine metric: it is at distance 1 from all.
    """
    own = np.arange(len(rows))
    _, copy = find_duplicates(rows)
    alone = copy < 0
    if rows.metric == "cosine":
        alone |= (rows.norms == 0).cpu().numpy()
    return np.where(alone, own, np.minimum(own, copy))
