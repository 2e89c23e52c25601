from __future__ import annotations

import sys
from pathlib import Path

from packaging.requirements import Requirement

TOOL = "dev/try_stack.py"


def test_rows_keep_the_tested_versions_but_for_what_they_free(tool) -> None:
    lines = tool.CONSTRAINTS.read_text().splitlines()

    def names(row) -> set[str]:
        return {Requirement(line).name for line in lines if tool.kept(line, row)}

    everything = names(tool.Row())
    assert {"torch", "mmengine", "numpy"} <= everything
    assert names(tool.Row(free=("numpy",))) == everything - {"numpy"}
    assert names(tool.Row(free=None)) == {*tool.UPSTREAM, "setuptools"}
    for row in tool.ROWS.values():
        for requirement in map(Requirement, row.more):
            assert requirement.name not in names(row) or not requirement.specifier


def test_a_row_replaces_the_earlier_one_of_its_name(tool, tmp_path: Path, monkeypatch) -> None:
    # A comment beside its rows would end the table on the site.
    assert all(f"\n\n{mark}" in tool.PAGE.read_text() for mark in (tool.BEGIN, tool.END))
    monkeypatch.setattr(tool, "PAGE", tmp_path / "versions.md")
    tool.PAGE.write_text(f"{tool.BEGIN}\n\n| name |\n|---|\n\n{tool.END}\nText.\n")
    for verdict in ("1 failed", "2 passed"):
        for name in ("onedl", "tested"):
            tool.write(name, tool.entry(name, Path(sys.executable), ["tests/models"], verdict))
    *head, one, two, empty, end, text = tool.PAGE.read_text().splitlines()
    assert head == [tool.BEGIN, "", "| name |", "|---|"]
    assert (empty, end, text) == ("", tool.END, "Text.")
    rows = one, two
    assert [row.split(" | ")[0] for row in rows] == ["| onedl", "| tested"]
    assert all("| `tests/models` | 2 passed |" in row and "mmaction2 1." in row for row in rows)
