from __future__ import annotations

import logging

import numpy as np
import pytest
import torch

from slic_mmaction.hooks.sanity import check_embeddings, degenerate_clustering

VIDEOS = ["a.mp4", "b.mp4", "c.mp4"]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_embeddings_that_are_not_finite_stop_the_run(value: float) -> None:
    embeddings = torch.ones(3, 2)
    embeddings[1, 0] = value
    with pytest.raises(FloatingPointError, match=r"1 of 3 embeddings .* \(first: b\.mp4\)"):
        check_embeddings(embeddings, VIDEOS, logging.getLogger())


def test_zero_embeddings_are_named(caplog) -> None:
    embeddings = torch.tensor([[1.0, 0], [0, 0], [0, 0]])
    check_embeddings(embeddings, VIDEOS, logging.getLogger("slic-test"))
    assert "2 of 3 embeddings are zero (first: b.mp4)" in caplog.text


def test_good_embeddings_say_nothing(caplog) -> None:
    check_embeddings(torch.eye(3), VIDEOS, logging.getLogger("slic-test"))
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 0, 0], "one cluster"),
        ([2, 0, 1], "No two videos share a cluster"),
        ([-1, 0, 1], "No two videos share a cluster"),
        ([-1, -1, -1], "Every video is noise"),
        ([0, 0, 1], None),
        ([0, 0, -1], None),
    ],
)
def test_degenerate_clusterings_are_said(labels: list[int], message: str | None) -> None:
    said = degenerate_clustering(np.array(labels))
    assert said is None if message is None else message in said
