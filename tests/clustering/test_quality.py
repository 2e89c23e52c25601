from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import adjusted_mutual_info_score, normalized_mutual_info_score

from slic_mmaction.clustering import cluster_quality
from slic_mmaction.clustering.quality import cluster_stability, size_bins, size_histogram


def test_sizes_without_true_labels():
    quality = cluster_quality(np.array([3, 3, 3, 8, 8, 1, -1, -1]))
    assert quality == {"clusters": 3, "noise": 2, "singletons": 1 / 8, "largest": 3, "median": 2}


def test_agreement_by_hand():
    # Two clusters of two; each class is split evenly: nothing is shared.
    even = cluster_quality(np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]))
    assert even["nmi"] == pytest.approx(0, abs=1e-12)
    assert even["purity"] == 0.5
    # Four singletons of two classes: I = H(classes) = ln 2 and H(clusters) = ln 4.
    singles = cluster_quality(np.array([0, 1, 2, 3]), np.array([0, 0, 1, 1]))
    assert singles["nmi"] == pytest.approx(math.log(2) / ((math.log(2) + math.log(4)) / 2))
    assert singles["purity"] == 1
    assert singles["ami"] == pytest.approx(0, abs=1e-9)
    perfect = cluster_quality(np.array([5, 5, 2, 2]), np.array([0, 0, 1, 1]))
    assert (perfect["nmi"], perfect["ami"], perfect["purity"]) == pytest.approx((1, 1, 1))


def test_noise_points_are_clusters_of_their_own():
    labels, truth = np.array([-1, 0, 0, -1, 4]), np.array([0, 0, 1, 0, 1])
    apart = np.array([9, 0, 0, 10, 4])
    quality = cluster_quality(labels, truth)
    assert quality["nmi"] == pytest.approx(normalized_mutual_info_score(truth, apart))
    assert quality["ami"] == pytest.approx(adjusted_mutual_info_score(truth, apart))
    assert quality["purity"] == pytest.approx(4 / 5)
    assert quality["clusters"] == 2 and quality["noise"] == 2
    quality = cluster_quality(np.array([-1, -1, -1]), np.array([0, 0, 1]))
    assert quality["clusters"] == quality["largest"] == quality["median"] == 0
    assert quality["noise"] == 3 and quality["singletons"] == 0
    assert quality["purity"] == 1 and quality["ami"] == pytest.approx(0, abs=1e-9)
    before = np.array([0, 0, 1, 1, -1, -1])
    assert cluster_stability(before, np.array([7, 7, 3, 3, -1, -1])) == 1
    assert cluster_stability(before, np.array([7, 7, 3, 3, 4, 5])) == 1
    assert cluster_stability(before, np.array([7, 7, 3, 3, 4, 4])) < 1


def test_every_video_its_own_cluster_raises_no_warning():
    quality = cluster_quality(np.arange(50), np.arange(50) % 7)
    assert quality["clusters"] == 50 and quality["purity"] == quality["singletons"] == 1
    assert cluster_stability(np.arange(50), np.arange(50) % 7) == 0


def test_bad_input_is_named():
    for labels in (np.zeros((2, 2)), np.zeros(0, dtype=int)):
        with pytest.raises(ValueError, match=r"shape \(N,\) with N >= 1"):
            cluster_quality(labels)
    with pytest.raises(ValueError, match="one true label for each"):
        cluster_quality(np.zeros(3, dtype=int), np.zeros(2, dtype=int))


def test_histogram_by_hand():
    labels = np.repeat([4, 7, 9, 2, -1, 0], [1, 1, 2, 3, 5, 8])
    edges, counts = size_histogram(labels)
    assert edges.tolist() == [1, 2, 4, 8, 16] and counts.tolist() == [2, 2, 0, 1]
    assert size_bins(labels) == {"1": 2, "2-3": 2, "4-7": 0, "8-15": 1}
    edges, counts = size_histogram(np.array([-1, -1]))
    assert edges.tolist() == [1] and len(counts) == 0 and size_bins(np.array([-1])) == {}
