from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.clustering.kmeans_lloyd import Clusters, lloyd


@given(n=st.integers(1, 40), k=st.integers(1, 6), seed=st.integers(0, 999))
@settings(deadline=None, max_examples=50)
def test_sums_follow_the_labels(n, k, seed):
    rng = np.random.default_rng(seed)
    points = torch.from_numpy(rng.standard_normal((n, 3)).astype(np.float32))
    clusters = Clusters(points, k, spherical=False)
    labels = np.full(n, -1)
    for _ in range(4):
        old, labels = labels, np.where(rng.random(n) < 0.5, labels, rng.integers(k, size=n))
        labels[labels < 0] = 0
        touched = clusters.relabel(torch.from_numpy(labels))
        changed = old != labels
        expected = set(old[changed]) | set(labels[changed])
        assert set(touched.nonzero().flatten().tolist()) == expected - {-1}
        members = [points[torch.from_numpy(labels == c)].double() for c in range(k)]
        np.testing.assert_allclose(
            clusters.sums, torch.stack([m.sum(0) for m in members]), atol=1e-12
        )
        assert clusters.counts.tolist() == [len(m) for m in members]
        inertia = sum(float((m - m.mean(0)).square().sum()) for m in members if len(m))
        assert clusters.inertia() == pytest.approx(inertia, abs=1e-9)


@pytest.mark.parametrize("spherical", [False, True])
def test_the_inertia_is_that_of_the_labels(spherical):
    points = torch.randn(300, 4, generator=torch.Generator().manual_seed(0))
    if spherical:
        points /= points.norm(dim=1, keepdim=True)
    labels, inertia = lloyd(points, points[:10], 12, spherical, 100, 1e-4)
    assert set(labels.tolist()) == set(range(12))  # Two had no centre and were filled.
    clusters = Clusters(points, 12, spherical)
    clusters.relabel(labels)
    exact = (points.double() - clusters.centers().double()[labels]).square().sum()
    assert inertia == pytest.approx(float(exact), rel=1e-6)
