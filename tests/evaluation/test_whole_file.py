from __future__ import annotations

from pathlib import Path

import pytest

from slic_mmaction.evaluation.whole_file import whole_file


def test_appears_when_all_is_written(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "file.bin"
    with whole_file(path) as file:
        file.write(b"new")
        assert not path.exists()
    assert path.read_bytes() == b"new" and list(path.parent.iterdir()) == [path]


def test_a_failure_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "file.bin"
    path.write_bytes(b"old")
    with pytest.raises(OSError, match="disk"), whole_file(path) as file:
        file.write(b"ne")
        raise OSError("disk full")
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]
