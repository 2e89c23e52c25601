from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.preparation.journal import Journal, fingerprint


def note(journal: Journal, file: Path, record: object) -> None:
    journal.put(file, fingerprint(file), record)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "videos" / "ü #1.avi"
    path.parent.mkdir()
    path.write_text("video")
    return path


def test_record_holds_until_the_file_changes(tmp_path: Path, file: Path) -> None:
    with Journal(tmp_path / "j.jsonl") as journal:
        assert journal.get(file) is None
        note(journal, file, {"frames": 3})
    with Journal(tmp_path / "j.jsonl") as journal:
        assert journal.get(file) == {"frames": 3}
        os.utime(file, ns=(0, 1))
        assert journal.get(file) is None
        note(journal, file, "again")
        file.write_text("videos")
        os.utime(file, ns=(0, 1))
        assert journal.get(file) is None


def test_file_that_changed_while_it_was_worked_on_is_not_known(tmp_path: Path, file: Path) -> None:
    before = fingerprint(file)
    file.write_text("still being downloaded")
    with Journal(tmp_path / "j.jsonl") as journal:
        journal.put(file, before, "outdated")
        assert journal.get(file) is None


def test_data_set_moves_with_its_journal(tmp_path: Path) -> None:
    old = tmp_path / "old" / "a.avi"
    old.parent.mkdir()
    old.write_text("video")
    with Journal(tmp_path / "old" / "j.jsonl") as journal:
        note(journal, old, 1)
    (tmp_path / "old").rename(tmp_path / "new")
    with Journal(tmp_path / "new" / "j.jsonl") as journal:
        assert journal.get(tmp_path / "new" / "a.avi") == 1


@settings(deadline=None, max_examples=40)
@given(cut=st.integers(0, 2000))
def test_torn_journal_keeps_its_whole_lines_and_goes_on(tmp_path_factory, cut: int) -> None:
    root = tmp_path_factory.mktemp("journal")
    files = [root / f"{i}.avi" for i in range(5)]
    for path in files:
        path.write_text("video")
    with Journal(root / "j.jsonl") as journal:
        for i, path in enumerate(files):
            note(journal, path, i)
    content = (root / "j.jsonl").read_bytes()[:cut]
    (root / "j.jsonl").write_bytes(content)
    # A last line that only lacks its line end is whole.
    whole = sum(line.endswith(b"}") for line in content.split(b"\n"))
    whole -= any(line.endswith(b"}") and line.count(b"{") != line.count(b"}")
                 for line in content.split(b"\n"))  # fmt: skip
    with Journal(root / "j.jsonl") as journal:
        known = [journal.get(path) for path in files]
        assert known == [*range(whole), *[None] * (5 - whole)]
        for i, path in enumerate(files[whole:], whole):
            note(journal, path, i)
    with Journal(root / "j.jsonl") as journal:
        assert [journal.get(path) for path in files] == [0, 1, 2, 3, 4]
