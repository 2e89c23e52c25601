from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from slic_mmaction.backbones.examine import Row
from slic_mmaction.backbones.table import (
    BEGIN,
    END,
    put_between_markers,
    read_rows,
    to_markdown,
    write_rows,
)

DONE = Row(
    config="slic_a_ucf101",
    backbone="A",
    fingerprint="01234567",
    width=512,
    parameters=33_203_904,
    frames=16,
    pixels=112,
    forward_seconds=0.876,
    losses=[0.5, 0.4],
    retrieval={"retrieval/R@1": 33.3},
    date="2026-01-02",
    commit="abc",
    torch="2.13.0",
    machine="a CPU",
)


def cells(row: Row) -> list[str]:
    return re.split(r" (?<!\\)\| ", to_markdown([row]).splitlines()[2].strip("| "))


def test_a_row_says_what_was_found() -> None:
    assert cells(DONE) == [
        "`A`",
        "[slic_a_ucf101](../configs/backbones/slic_a_ucf101.py)",
        "512",
        "33.2 M",
        "16 x 112 px",
        "0.88 s",
        "yes",
        "yes",
    ]


def test_a_row_says_what_failed_instead_of_a_number() -> None:
    missing = replace(DONE, missing="timm", losses=[], retrieval={})
    assert cells(missing)[2:] == ["needs timm", "-", "-", "-", "-", "-"]
    broken = replace(DONE, problems=dict(figures="TypeError: no | no"), losses=[], retrieval={})
    assert cells(broken)[2:] == ["no: TypeError: no \\| no", "-", "-", "-", "-", "-"]
    untrained = replace(DONE, problems=dict(pretraining="x" * 1000), losses=[], retrieval={})
    assert cells(untrained)[2:6] == cells(DONE)[2:6]
    assert cells(untrained)[6].startswith("no: xxx") and len(cells(untrained)[6]) < 200
    assert cells(untrained)[7] == "-"
    unfound = replace(DONE, problems=dict(retrieval="ValueError: 9"), retrieval={})
    assert cells(unfound)[6:] == ["yes", "no: ValueError: 9"]


def test_the_table_says_where_each_number_comes_from() -> None:
    text = to_markdown([DONE, replace(DONE, config="slic_b_ucf101"), replace(DONE, commit="def")])
    assert text.count("2026-01-02") == 2
    assert "commit abc, torch 2.13.0, one thread of a CPU; 2026-01-02, commit def" in text


def test_rows_come_back(tmp_path: Path) -> None:
    assert read_rows(tmp_path / "rows.json") == []
    rows = [DONE, replace(DONE, missing="timm")]
    write_rows(tmp_path / "rows.json", rows)
    assert read_rows(tmp_path / "rows.json") == rows


def test_only_what_is_between_the_markers_changes() -> None:
    page = f"before\n\n{BEGIN}\nold\n{END}\n\nafter\n"
    once = put_between_markers(page, "new\n")
    assert once == f"before\n\n{BEGIN}\n\nnew\n\n{END}\n\nafter\n"
    assert put_between_markers(once, "new\n") == once
    with pytest.raises(ValueError, match="no place for the table"):
        put_between_markers("before after", "new\n")
