"""What is checked, said and saved of embeddings and their clustering."""

from __future__ import annotations

import logging
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.pseudo_labels import report
from slic_mmaction.pseudo_labels.report import (
    check_embeddings,
    clustering_report,
    degenerate_clustering,
    save_labels,
    spread_of,
)


@given(st.integers(2, 30), st.integers(1, 9), st.floats(0, 20), st.integers(0, 99))
@settings(deadline=None, max_examples=50)
def test_spread_against_all_pairs_and_singular_values(
    count: int, width: int, offset: float, seed: int
) -> None:
    rows = np.random.default_rng(seed).normal(size=(count, width)) + offset
    rows[count // 2] = 0  # has no direction
    units = np.delete(rows, count // 2, axis=0)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    found = spread_of(torch.from_numpy(rows))
    if count == 2:
        assert found is None
        return
    cosines = [float(a @ b) for i, a in enumerate(units) for b in units[:i]]
    assert found[0] == pytest.approx(np.mean(cosines), abs=1e-9)
    shares = np.linalg.svd(units - units.mean(0), compute_uv=False) ** 2
    if shares.sum() > 1e-9:
        shares = shares[shares > 0] / shares.sum()
        expected = math.exp(-(shares * np.log(shares)).sum())
        assert found[1] == pytest.approx(expected, abs=1e-6)


def test_spread_of_equal_rows_and_of_a_sample(monkeypatch) -> None:
    row = torch.randn(1, 128)
    lengths = torch.linspace(0.5, 2, 50)[:, None]
    assert spread_of(row.repeat(50, 1) * lengths)[1] == 0, "rounding is no spread"
    assert spread_of(torch.zeros(5, 3)) is None and spread_of(torch.ones(1, 3)) is None
    monkeypatch.setattr(report, "_SAMPLE", 10)
    rows = torch.eye(2).repeat_interleave(50, 0)  # half and half
    assert spread_of(rows)[0] == pytest.approx((2 * 5 * 4) / (10 * 9))


def said(embeddings: torch.Tensor, caplog, trained: bool = True) -> str:
    caplog.clear()
    logger = logging.getLogger("slic-test")
    with caplog.at_level(logging.INFO, logger="slic-test"):
        names = [f"{i}.mp4" for i in range(len(embeddings))]
        check_embeddings(embeddings, names, logger, trained)
    return caplog.text


def test_embeddings_without_a_direction_are_named_and_good_ones_warn_of_nothing(caplog) -> None:
    for value in (np.nan, np.inf):
        embeddings = torch.ones(3, 2)
        embeddings[1, 0] = value
        with pytest.raises(FloatingPointError, match=r"1 of 3 embeddings .* \(first: 1\.mp4\)"):
            said(embeddings, caplog)
    text = said(torch.tensor([[1.0, 0], [0, 0], [0, 0]]), caplog)
    assert "2 of 3 embeddings are zero (first: 1.mp4)" in text
    text = said(torch.eye(3), caplog)
    assert "mean cosine: 0.00000  effective rank: 2.0 of 3" in text and "WARNING" not in text


def test_a_collapse_is_said_with_its_figures(caplog) -> None:
    generator = torch.Generator().manual_seed(0)
    direction, noise = torch.eye(16)[:1], torch.randn(50, 16, generator=generator)
    alike = direction + 0.005 * noise
    text = said(alike, caplog)
    assert "effective rank: 1" in text and " of 16" in text  # 14 or 15: the noise's
    assert "WARNING" in text and "have collapsed: the mean cosine of two of them is 0.999" in text
    assert "collapsed" not in said(alike, caplog, trained=False)
    # As alike as the authors' network before training.
    assert "WARNING" not in said(direction + 0.02 * noise, caplog)
    text = said(torch.full((9, 4), 0.3), caplog)
    assert "mean cosine: 1.00000  effective rank: 0.0 of 4" in text and "WARNING" in text
    # Onto a line, of enough videos.
    along = torch.randn(64, 1, generator=generator) * torch.eye(8)[:1]
    line = torch.eye(8)[1:2] + along + 0.02 * torch.randn(64, 8, generator=generator)
    assert "collapsed onto a line: their effective rank is 1." in said(line, caplog)
    assert "collapsed" not in said(line[:20], caplog)
    assert "collapsed" not in said(torch.randn(64, 8, generator=generator), caplog)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([0, 0, 0], "one cluster"),
        ([-1, 0, 1], "No two videos share a cluster"),
        ([-1, -1, -1], "Every video is noise"),
        ([0, 0, 1], None),
        ([0], "No two videos share a cluster"),
        ([0] * 19 + [1], r"One of 2 clusters has 95.0% of all videos"),
        ([3] * 19 + [-1], r"One of 1 clusters has 95.0% of all videos"),
        ([0] * 18 + [1, 2], None),
    ],
)
def test_degenerate_clusterings_are_said(labels: list[int], message: str | None) -> None:
    found = degenerate_clustering(np.array(labels))
    assert found is None if message is None else message in found


def test_figures_and_lines() -> None:
    labels = np.array([0, 0, 0, 1, 2, -1])
    scalars, lines = clustering_report(labels, None, None)
    assert scalars["cluster/clusters"] == 3 and scalars["cluster/singletons"] == 2 / 6
    assert "cluster/stability" not in scalars and "cluster/nmi" not in scalars
    assert [level for level, _ in lines] == [logging.INFO, logging.INFO]
    assert "singletons: 0.3333" in lines[0][1]
    assert lines[1][1] == "clusters by size  1: 2  2-3: 1"
    scalars, lines = clustering_report(labels, labels + 1, labels)
    assert scalars["cluster/stability"] == 1 and "stability: 1" in lines[0][1]
    assert scalars["cluster/purity"] == 1
    lines = clustering_report(np.full(4, -1), None, np.zeros(4, dtype=int))[1]
    assert lines[1] == (logging.INFO, "clusters by size  none")
    assert lines[2][0] == logging.WARNING and "Every video is noise" in lines[2][1]


def test_label_files_are_read_back_and_a_failed_write_keeps_the_old_one(
    tmp_path: Path, monkeypatch
) -> None:
    path = tmp_path / "pseudo_labels" / "epoch_5.npz"

    def half(file, **arrays) -> None:
        file.write(b"half")
        raise OSError("disk full")

    save_labels(path, np.array([4, -1]), ["a b.mp4", "ü.mp4"], epoch=5)
    monkeypatch.setattr(np, "savez_compressed", half)
    with pytest.raises(OSError, match="disk full"):
        save_labels(path, np.array([2]), ["a.mp4"], epoch=0)
    with np.load(path) as saved:
        assert saved["labels"].tolist() == [4, -1] and saved["epoch"] == 5
        assert saved["videos"].tolist() == ["a b.mp4", "ü.mp4"]
    assert [p.name for p in path.parent.iterdir()] == [path.name]
