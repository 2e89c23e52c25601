from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from slic_mmaction.preparation.journal import Journal, fingerprint


def test_record_holds_until_the_file_changes_and_moves_with_it(tmp_path: Path) -> None:
    root = tmp_path / "old"
    file = root / "videos" / "ü #1.avi"
    file.parent.mkdir(parents=True)
    file.write_text("video")
    journal = Journal(root / "j.jsonl")
    assert journal.get(file) is None
    journal.put(file, fingerprint(file), {"frames": 3})
    assert journal.get(file) == Journal(root / "j.jsonl").get(file) == {"frames": 3}
    root = root.rename(tmp_path / "new")
    file, journal = root / "videos" / file.name, Journal(root / "j.jsonl")
    assert journal.get(file) == {"frames": 3}
    os.utime(file, ns=(0, 1))
    assert journal.get(file) is None
    before = fingerprint(file)
    file.write_text("still being downloaded")
    os.utime(file, ns=(0, 1))
    journal.put(file, before, "outdated")
    assert journal.get(file) is None


def test_torn_journal_keeps_its_whole_lines_and_goes_on(tmp_path: Path) -> None:
    files = [tmp_path / f"{i}.avi" for i in range(3)]
    journal = Journal(tmp_path / "whole.jsonl")
    for i, file in enumerate(files):
        file.touch()
        journal.put(file, fingerprint(file), i)
    content = journal.path.read_bytes()
    ends = [i for i, byte in enumerate(content) if byte == ord("\n")]
    for cut in range(len(content) + 1):
        torn = Journal(shutil.copy(journal.path, tmp_path / "torn.jsonl"))
        torn.path.write_bytes(content[:cut])
        torn = Journal(torn.path)
        whole = sum(end <= cut for end in ends)  # a line that only lacks its end is whole
        assert [torn.get(file) for file in files] == [*range(whole), *[None] * (3 - whole)]
        torn.put(files[2], fingerprint(files[2]), "new")
        again = [Journal(torn.path).get(file) for file in files]
        assert again == [*range(min(whole, 2)), *[None] * (2 - whole), "new"]


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no device that is full")
def test_full_disk_is_said_with_the_path(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.jsonl")
    journal.path.symlink_to("/dev/full")
    with pytest.raises(OSError, match=r"j.jsonl cannot be written to: No space left"):
        journal.put(tmp_path, fingerprint(tmp_path), 1)
