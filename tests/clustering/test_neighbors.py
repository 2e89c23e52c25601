from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.clustering import first_neighbors, neighbors
from slic_mmaction.nearest import exact_rows, exact_similarities

GOLDEN = np.load(Path(__file__).parents[1] / "data" / "finch.npz")
metrics = pytest.mark.parametrize("metric", ["cosine", "euclidean"])


@pytest.fixture(scope="module", autouse=True)
def small_groups():
    """Groups and blocks so small that forty points fill several, the last of them in part."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(neighbors, "_SMALLEST_GROUP", 4)
        patch.setattr(neighbors, "_CPU_BLOCK", 8)
        yield


def brute_force(x: np.ndarray, metric: str) -> list[int]:
    """Lowest index among the nearest others, one point at a time, in float64."""
    x = x.astype(np.float64)
    nearest = []
    for i, point in enumerate(x):
        if metric == "euclidean":
            distances = np.sqrt(((x - point) ** 2).sum(1))
        else:
            lengths = np.linalg.norm(x, axis=1) * np.linalg.norm(point)
            distances = 1 - np.divide(x @ point, lengths, out=np.zeros(len(x)), where=lengths > 0)
        distances[i] = np.inf
        nearest.append(int(np.flatnonzero(distances <= distances.min() + 1e-10)[0]))
    return nearest


@pytest.mark.parametrize("name", ["small", "medium"])
def test_neighbors_of_the_authors_code(name):
    embeddings = GOLDEN[f"{name}/embeddings"].astype(np.float32)
    found = first_neighbors(embeddings)
    np.testing.assert_array_equal(found, GOLDEN[f"{name}/first_neighbour"])


@metrics
@given(
    n=st.integers(2, 40),
    dim=st.integers(1, 8),
    copies=st.integers(0, 10),
    seed=st.integers(0, 2**31),
)
@settings(deadline=None, max_examples=40)
def test_brute_force_with_duplicates(metric, n, dim, copies, seed):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, dim)).astype(np.float32)
    x[rng.integers(n, size=copies)] = x[rng.integers(n, size=copies)]
    found = first_neighbors(x, metric)
    assert found.dtype == np.int64
    assert found.tolist() == brute_force(x, metric)


@metrics
@given(n=st.integers(2, 40), dim=st.integers(1, 3), seed=st.integers(0, 2**31))
@settings(deadline=None, max_examples=40)
def test_brute_force_on_a_grid_of_ties_and_zero_rows(metric, n, dim, seed):
    x = np.random.default_rng(seed).integers(-1, 2, (n, dim)).astype(np.float32)
    assert first_neighbors(x, metric).tolist() == brute_force(x, metric)


def difficult_sets() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    x = rng.standard_normal((120, 8)).astype(np.float32)
    near, far = x.copy(), x.copy()
    near[::3] = near[0] + 3e-7 * rng.standard_normal((40, 8)).astype(np.float32)
    far[17] *= 1e6
    return {
        "forty points closer together than float32 products can tell": near,
        "one far row": far,
        "far from the origin": x + 1000,
        "all cosines negative": 3 * np.eye(4, dtype=np.float32) - 1,
        "collapsed": 1 + 1e-7 * x.astype(np.float64),
        "few different rows": x[rng.integers(9, size=120)],
        "tiny": x * np.float32(1e-15),
        "huge": x * np.float32(1e30),
        "tiny beside huge": x * np.float32(10) ** rng.integers(-18, 18, (120, 1)),
    }


@metrics
@pytest.mark.parametrize("name", difficult_sets())
def test_what_rounding_blurs_is_decided_in_float64(metric, name):
    x = difficult_sets()[name]
    rows = exact_rows(torch.from_numpy(x), metric)
    expected = exact_similarities(rows, rows, metric).fill_diagonal_(-torch.inf).argmax(1).numpy()
    np.testing.assert_array_equal(first_neighbors(x, metric), expected)
    with pytest.MonkeyPatch.context() as patch:
        # Neither blocks nor groups may matter: one block of many groups, blocks within groups.
        patch.setattr(neighbors, "_CPU_BLOCK", 128)
        np.testing.assert_array_equal(first_neighbors(x, metric), expected)
        patch.setattr(neighbors, "_CPU_BLOCK", 8)
        patch.setattr(neighbors, "_GROUPS", 3)
        np.testing.assert_array_equal(first_neighbors(x, metric), expected)


def test_rounded_factors_change_nothing(monkeypatch):
    """As where a training script allows bfloat16 in products: they are worse, the bound wider."""
    x = torch.randn(90, 16, generator=torch.Generator().manual_seed(0))
    expected = first_neighbors(x)
    exact = neighbors._Points.factor
    monkeypatch.setattr(
        neighbors._Points, "factor", lambda *args, **kw: exact(*args, **kw).bfloat16().float()
    )
    monkeypatch.setattr(neighbors, "_factor_rounding", lambda device: 2.0**-8)
    np.testing.assert_array_equal(first_neighbors(x), expected)


@metrics
@pytest.mark.parametrize("name", ["cuda", *difficult_sets()])
def test_the_products_of_a_gpu_are_within_their_bound(metric, name, monkeypatch):
    """On a GPU, factors are sums of two bfloat16; here their products are computed in float32."""
    x = np.random.default_rng(0).standard_normal((120, 32))
    x = torch.from_numpy(difficult_sets().get(name, x))
    points = neighbors._Points(x, metric)
    monkeypatch.setattr(points, "_in_halves", True)
    everything = slice(0, len(x))
    left, right = points.factor(everything, right=False), points.factor(everything, right=True)
    assert left.dtype == right.dtype == torch.bfloat16
    exact = (x.double() - points.center) * points._scale[:, None]
    score = exact @ exact.T
    if metric == "euclidean":
        score = -(torch.cdist(exact, exact, compute_mode="donot_use_mm_for_euclid_dist") ** 2) / 2
    reach = exact.norm(dim=1)[:, None] + exact.norm(dim=1)
    bound = 2.0**-15 * reach**2 + torch.finfo(torch.float32).tiny
    assert bool(((left.double() @ right.double().T - score).abs() <= bound).all())


def test_tensor_array_half_precision_and_mapped_file_agree(tmp_path):
    x = torch.randn(30, 4).half()
    np.save(tmp_path / "x.npy", x.numpy())
    expected = first_neighbors(x.float().requires_grad_())
    for mode in ("r", "r+", None):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found = first_neighbors(np.load(tmp_path / "x.npy", mmap_mode=mode))
        np.testing.assert_array_equal(found, expected)
    doubled = x.double()
    before = doubled.clone()
    np.testing.assert_array_equal(first_neighbors(doubled), expected)
    assert torch.equal(doubled, before)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="at least two"):
        first_neighbors(np.ones((1, 3)))
    with pytest.raises(ValueError, match="row 1"):
        first_neighbors(np.array([[1, 2], [np.nan, 0]]))
    with pytest.raises(ValueError, match="'annoy'"):
        first_neighbors(np.ones((3, 3)), backend="annoy")
