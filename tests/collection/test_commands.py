"""The commands of `slic` on an index, at its limits."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from typer.testing import CliRunner

from slic_mmaction.cli.app import app
from slic_mmaction.cli.common import csv_text
from slic_mmaction.collection.store import WindowTable

from ..videos import encode
from .near_duplicates import scene
from .test_duplicates import write_index


def test_csv_of_any_name() -> None:
    rows = [dict(path=name, start="0.5") for name in ("a\rb", "a\r\nb", 'a"\n,', "plain", "")]
    assert list(csv.DictReader(io.StringIO(csv_text(rows), newline=""))) == rows


def test_csv_without_hits_has_a_header(tmp_path: Path) -> None:
    write_index(tmp_path, ["a.mp4"], tmp_path / "index")
    found = CliRunner().invoke(app, ["search", "a.mp4", "--in", str(tmp_path / "index"), "--csv"])
    assert found.output == "rank,path,start,end,cosine,closer_than,cluster\n"


def test_an_empty_index_is_one_sentence(tmp_path: Path) -> None:
    write_index(tmp_path, ["a.mp4"], tmp_path / "index")
    table = WindowTable(tmp_path / "index")
    table.remove(["a.mp4"])
    table.publish()
    for arguments in (
        ["search", "a.mp4"],
        ["search", __file__],
        ["duplicates"],
        ["map"],
        ["clusters"],
    ):
        result = CliRunner().invoke(app, [*arguments, "--in", str(tmp_path / "index")])
        assert isinstance(result.exception, ValueError), arguments
        assert str(result.exception).endswith("index is empty: add videos by `slic index`.")


def test_a_folder_whose_name_is_not_utf8(tmp_path: Path) -> None:
    folder, index = tmp_path / "bad\udcff", str(tmp_path / "index")
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system has no such names")
    for name in ("a.mp4", "b.mp4"):
        encode(folder / name, scene(0, 0, 30))
    write_index(folder, ["a.mp4", "b.mp4"], tmp_path / "index")
    for arguments in (["duplicates"], ["clusters"], ["map", "--out", str(tmp_path / "map.html")]):
        result = CliRunner().invoke(app, [*arguments, "--in", index])
        assert result.exit_code == 0, result.output
    assert "bad%FF/a.mp4" in (tmp_path / "index" / "clusters.html").read_text()
    assert "Map of bad\\udcff" in (tmp_path / "map.html").read_text()
