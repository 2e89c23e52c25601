from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.clustering import tile_search
from slic_mmaction.clustering.prepared_rows import PreparedRows
from slic_mmaction.clustering.tile_search import merge, search_tiles


@pytest.fixture(scope="module", autouse=True)
def small_tiles():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(tile_search, "TILE", 2)
        patch.setattr(tile_search, "_CPU_BLOCK", 4)
        yield


def tile_maxima(points: np.ndarray, metric: str) -> np.ndarray:
    """(N, tiles) largest score of each point with another one of each tile."""
    x = points.astype(np.float64)
    if metric == "cosine":
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        scores = x @ x.T
    else:
        scores = -((x[:, None] - x[None]) ** 2).sum(2) / 2
    np.fill_diagonal(scores, -np.inf)
    return np.stack([scores[:, t : t + 2].max(1) for t in range(0, len(x), 2)], axis=1)


@pytest.mark.parametrize(
    "metric, precision",
    [("cosine", "float32"), ("cosine", "bfloat16"), ("euclidean", "float32")],
)
@given(n=st.integers(2, 45), shares=st.integers(1, 13), seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=30)
def test_best_tiles_from_any_number_of_shares(metric, precision, n, shares, seed):
    points = np.random.default_rng(seed).standard_normal((n, 3)).astype(np.float32) + 0.5
    rows = PreparedRows(torch.from_numpy(points), metric)
    found = merge([search_tiles(rows, precision, i, shares) for i in range(shares)])
    expected = tile_maxima(points, metric)
    for i, own in enumerate(expected):
        known = found.scores[i] > -torch.inf
        if not known.any():  # only where no other row is closer than a right angle
            assert precision == "bfloat16" and own.max() < 1e-2
            continue
        tolerance = float(found.error[i]) + 1e-5
        values, tiles = found.scores[i][known].numpy(), found.tiles[i][known].numpy()
        best = np.sort(own)[::-1][: len(values)]
        np.testing.assert_allclose(
            values, np.maximum(best, 0) if precision == "bfloat16" else best, atol=tolerance
        )
        assert len(set(tiles.tolist())) == len(tiles)
        real = values > 0 if precision == "bfloat16" else np.isfinite(values)
        np.testing.assert_allclose(values[real], own[tiles[real]], atol=tolerance)


def test_every_pair_of_blocks_is_multiplied_once(monkeypatch):
    pairs = []

    class Recorder(tile_search._Float32):
        def factor(self, block):
            self.left = block.start
            return super().factor(block)

        def maxima(self, left, block, same):
            pairs.append(tuple(sorted((self.left // 4, block.start // 4))))
            return super().maxima(left, block, same)

    monkeypatch.setattr(tile_search, "_Float32", Recorder)
    for n in (3, 4, 9, 16, 17, 40):
        for shares in (1, 3):
            pairs.clear()
            work = []
            for share in range(shares):
                search_tiles(PreparedRows(torch.randn(n, 3), "cosine"), "float32", share, shares)
                work.append(len(pairs) - sum(work))
            blocks = -(-n // 4)
            assert sorted(pairs) == [(i, j) for i in range(blocks) for j in range(i, blocks)]
            # The work is shared evenly, up to a block of rows.
            assert max(work) - min(work) <= blocks // 2 + 1
