from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from slic_mmaction.datasets.descriptor_file import (
    Descriptors,
    read_descriptors,
    rows_of,
    save_descriptors,
)

ROWS = {"a/v": np.float32([1, 2]), "b/v": np.float32([3, 4]), "c": np.float32([5, 6])}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "folder" / "motion.npz"
    save_descriptors(path, Descriptors(ROWS, dict(step=4)))
    return path


def test_what_is_written_is_read(path: Path) -> None:
    read = read_descriptors(path)
    assert read.settings == dict(step=4) and list(read.rows) == list(ROWS)
    for name, row in read.rows.items():
        np.testing.assert_array_equal(row, ROWS[name])
    assert list(path.parent.iterdir()) == [path]


def test_rows_follow_the_names(path: Path) -> None:
    rows, has = rows_of(path, ["c", "a/v", "b/v"], 0.0)
    assert rows.tolist() == [[5, 6], [1, 2], [3, 4]] and rows.dtype == np.float32
    assert has.all()


def test_some_may_be_missing(path: Path) -> None:
    rows, has = rows_of(path, ["c", "new", "a/v"], 0.5)
    assert rows.tolist() == [[5, 6], [0, 0], [1, 2]] and has.tolist() == [True, False, True]
    with pytest.raises(ValueError, match=r"no descriptor of 1 of 3 training videos.*first: new"):
        rows_of(path, ["c", "new", "a/v"], 0.3)


def test_a_file_made_elsewhere_needs_no_settings(tmp_path: Path) -> None:
    path = tmp_path / "own.npz"
    np.savez(path, videos=["x", "y"], descriptors=np.eye(2))
    assert read_descriptors(path).settings == {}
    assert rows_of(path, ["y"], 0.0)[0].tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        (dict(videos=["x"]), "is no descriptor file"),
        (dict(videos=["x"], descriptors=np.eye(2)), r"\(1,\) and \(2, 2\)"),
        (dict(videos=np.zeros(0, str), descriptors=np.zeros((0, 2))), "at least one video"),
        (dict(videos=["x", "x"], descriptors=np.eye(2)), "more than once"),
        (dict(videos=["x", "y"], descriptors=[[0, 1], [np.nan, 1]]), "first for the video y"),
        (dict(videos=np.array([None]), descriptors=np.eye(1)), "is no descriptor file"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, arrays: dict, sentence: str) -> None:
    path = tmp_path / "wrong.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=sentence):
        read_descriptors(path)


@pytest.mark.parametrize("content", [b"", b"text", b"PK\x03\x04 broken off"])
def test_a_damaged_file(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "wrong.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="is no descriptor file"):
        read_descriptors(path)


def test_a_single_array_and_a_damaged_compressed_file(tmp_path: Path) -> None:
    single, packed = tmp_path / "one.npy", tmp_path / "packed.npz"
    np.save(single, np.eye(2))
    np.savez_compressed(packed, videos=["x"], descriptors=np.ones((1, 4000)))
    content = bytearray(packed.read_bytes())
    content[len(content) // 2 - 40 : len(content) // 2] = b"\xff" * 40
    packed.write_bytes(content)
    for path in (single, packed):
        with pytest.raises(ValueError, match="is no descriptor file"):
            read_descriptors(path)


def test_no_file_at_all(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"extract_motion\.py makes one"):
        read_descriptors(tmp_path / "none.npz")
