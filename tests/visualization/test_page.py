"""The shell that all pages share, and thumbnails."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from slic_mmaction.visualization import video_strip
from slic_mmaction.visualization.page import section, table, write_page
from slic_mmaction.visualization.thumbnails import Moment, strips

from ..videos import encode
from .parsed_page import Parsed


def test_strips_of_a_moment_and_of_what_cannot_be_read(tmp_path: Path) -> None:
    frames = [np.full((48, 64, 3), 8 * t, np.uint8) for t in range(30)]
    path = encode(tmp_path / "a.mp4", frames)
    strip = video_strip(path, 0.4, 0.64, height=60)  # frames 10 to 16
    assert strip.shape == (60, 240, 3)
    np.testing.assert_allclose(strip[30, [40, 120, 200], 0], [88, 104, 120], atol=3)
    (tmp_path / "no.mp4").write_bytes(b"no video")
    found = strips([Moment(path), Moment(tmp_path / "no.mp4"), Moment(tmp_path / "left.mp4")])
    assert [one.problem for one in found] == ["", "unreadable", "gone"]


def test_table_of_the_shell(tmp_path: Path) -> None:
    rows = [{"name <b>": "<i>", "value": 1.5}, {"name <b>": "x", "value": None}]
    parts = [section("S", table(rows), note="why")]
    parsed = Parsed(write_page(tmp_path / "p.html", "T", ["n"], parts))
    assert "<i>" in parsed.text and ("b", {}) not in parsed.elements
    assert parsed.attributes("td", "class") == ["number"] * 2
