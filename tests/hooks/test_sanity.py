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
        ([0], "No two videos share a cluster"),
        ([0] * 19 + [1], r"One of 2 clusters holds 95.0% of all videos"),
        ([3] * 19 + [-1], r"One of 1 clusters holds 95.0% of all videos"),
        ([0] * 18 + [1, 2], None),
    ],
)
def test_degenerate_clusterings_are_said(labels: list[int], message: str | None) -> None:
    said = degenerate_clustering(np.array(labels))
    assert said is None if message is None else message in said


def said(embeddings: torch.Tensor, caplog, **how: bool) -> str:
    caplog.clear()
    logger = logging.getLogger("slic-test")
    with caplog.at_level(logging.INFO, logger="slic-test"):
        check_embeddings(embeddings, [f"{i}.mp4" for i in range(len(embeddings))], logger, **how)
    return caplog.text


def test_a_collapse_to_a_point_is_said_with_its_figures(caplog) -> None:
    direction, noise = torch.randn(1, 16), torch.randn(50, 16)
    alike = direction / direction.norm() + 0.005 * noise
    text = said(alike, caplog)
    assert "effective rank: 1" in text and " of 16" in text  # 14 or 15: the noise's
    assert "WARNING" in text and "have collapsed: the mean cosine of two of them is 0.999" in text
    assert "collapsed" not in said(alike, caplog, trained=False)
    # As alike as the authors' network before training.
    assert "WARNING" not in said(direction / direction.norm() + 0.02 * noise, caplog)


def test_equal_embeddings_are_a_collapse(caplog) -> None:
    text = said(torch.full((9, 4), 0.3), caplog)
    assert "mean cosine: 1.00000  effective rank: 0.0 of 4" in text and "WARNING" in text


def test_a_collapse_to_a_line_is_said_of_enough_videos(caplog) -> None:
    generator = torch.Generator().manual_seed(0)
    along = torch.randn(64, 1, generator=generator) * torch.eye(8)[:1]
    line = torch.eye(8)[1:2] + along + 0.02 * torch.randn(64, 8, generator=generator)
    text = said(line, caplog)
    assert "collapsed onto a line: their effective rank is 1." in text
    assert "collapsed" not in said(line[:20], caplog)
    assert "collapsed" not in said(torch.randn(64, 8, generator=generator), caplog)


def test_the_figures_are_returned() -> None:
    logger = logging.getLogger("slic-test")
    spread = check_embeddings(torch.eye(3), VIDEOS, logger)
    assert spread.mean_cosine == pytest.approx(0) and spread.effective_rank == pytest.approx(2)
    assert check_embeddings(torch.ones(1, 2), VIDEOS[:1], logger) is None
