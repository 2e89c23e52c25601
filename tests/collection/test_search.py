"""Search against brute force."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.collection.groups import (
    ClusterJudge,
    cluster_means,
    distances_to_means,
)
from slic_mmaction.collection.search import Searcher


def brute_force(s: Searcher, query: np.ndarray, top: int, left_out: np.ndarray) -> list[tuple]:
    """All windows by cosine, path and start; of those that overlap in a video the best."""
    rows = []
    for i, row in enumerate(s.vectors.astype(np.float64)):
        cosine = float((row * (query / np.linalg.norm(query))).sum() / np.sqrt((row * row).sum()))
        rows.append((-cosine, s.paths[i], s.starts[i], s.ends[i], i))
    found: list[tuple] = []
    for cosine, path, start, end, i in sorted(rows):
        free = all(path != p or start >= e or b >= end for p, b, e, _ in found)
        if free and not left_out[i] and len(found) < top:
            found.append((path, start, end, -cosine))
    return found


@settings(deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    videos=st.integers(1, 30),
    top=st.integers(1, 40),
    kinds=st.integers(1, 500),
)
def test_search_equals_brute_force(seed: int, videos: int, top: int, kinds: int) -> None:
    """With many equal vectors, too: ties go by path and start."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(1, 12, videos)
    paths = [f"v{i:02}" for i, count in enumerate(counts) for _ in range(count)]
    starts = np.concatenate([np.arange(count) * 2.0 for count in counts])
    dictionary = rng.standard_normal((kinds, 4)).astype(np.float32)
    vectors = dictionary[rng.integers(0, kinds, len(paths))]
    s = Searcher(vectors, paths, starts, starts + rng.choice([2.0, 4.0]), np.arange(len(paths)))
    query = rng.standard_normal(4).astype(np.float32)
    left_out = rng.random(len(paths)) < 0.2
    hits = s.search(query, top, left_out)
    expected = brute_force(s, query.astype(np.float64), top, left_out)
    assert [(h.path, h.start, h.end) for h in hits] == [row[:3] for row in expected]
    assert np.allclose([h.cosine for h in hits], [row[3] for row in expected], atol=1e-12)
    assert [h.rank for h in hits] == list(range(1, len(hits) + 1))
    if hits:
        window = paths.index(hits[0].path) + int(hits[0].start / 2)
        assert hits[0].cluster == window


def test_many_windows_with_nearly_equal_cosines() -> None:
    """Float32 cannot order these; the best is found all the same."""
    rng = np.random.default_rng(0)
    base = rng.standard_normal(128)
    vectors = (base + 1e-4 * rng.standard_normal((5000, 128))).astype(np.float32)
    paths = [f"{i:04}" for i in range(5000)]
    zeros = np.zeros(5000)
    s = Searcher(vectors, paths, zeros, zeros + 1, zeros.astype(int))
    hits = s.search(base.astype(np.float32), 20)
    expected = brute_force(s, base.astype(np.float32).astype(np.float64), 20, zeros > 0)
    assert [h.path for h in hits] == [row[0] for row in expected]


def test_how_a_similarity_stands_among_random_pairs() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((400, 16)).astype(np.float32)
    paths = [f"{i // 2:03}" for i in range(400)]  # two windows each
    s = Searcher(vectors, paths, np.zeros(400), np.ones(400), np.zeros(400, int))
    hits = s.search(vectors[7], 400)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    cosines = units @ units.T
    pairs = cosines[np.not_equal.outer(paths, paths)]
    for hit in hits[::20]:
        assert abs(hit.closer_than - (pairs < hit.cosine).mean()) < 0.02
    one_video = Searcher(vectors[:2], paths[:2], np.zeros(2), np.ones(2), np.zeros(2, int))
    assert one_video.search(vectors[0], 5)[0].closer_than == 0


def test_distance_to_the_mean_and_new_videos() -> None:
    rng = np.random.default_rng(0)
    centres = np.eye(3, 8)
    cluster = np.repeat([0, 1, 2, -1], 50)
    vectors = rng.standard_normal((200, 8)) * 0.05
    vectors[:150] += np.repeat(centres, 50, axis=0)
    vectors[150:] += np.eye(8)[6]
    vectors = (vectors * rng.uniform(0.5, 2, (200, 1))).astype(np.float32)
    means, distance = cluster_means(vectors, cluster), distances_to_means(vectors, cluster)
    assert np.isnan(distance[150:]).all()
    for i in range(0, 150, 10):
        unit = vectors[i] / np.linalg.norm(vectors[i])
        others = vectors[cluster == cluster[i]]
        mean = (others / np.linalg.norm(others, axis=1, keepdims=True)).sum(0)
        assert abs(distance[i] - (1 - unit @ mean / np.linalg.norm(mean))) < 1e-6
    assert np.allclose(np.linalg.norm(means, axis=1), 1)
    judge = ClusterJudge(vectors, [f"{i:03}" for i in range(200)], cluster)
    for k in range(3):
        found = judge.assign("new", (centres[k] + 0.02)[None].astype(np.float32))
        assert found.cluster == k and found.known and cluster[int(found.nearest)] == k
    assert not judge.assign("new", np.eye(8)[[5]].astype(np.float32)).known
    assert judge.assign("bad", np.empty((0, 8)), "is empty").cluster == -1
