from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from slic_mmaction.pseudo_labels.descriptors import (
    Descriptors,
    descriptors_of,
    read_descriptors,
    save_descriptors,
)

ROWS = {"a/v": np.float32([1, 2]), "b/v": np.float32([3, 4]), "c": np.float32([5, 6])}


class Videos:
    """A dataset of these files in one folder."""

    def __init__(self, *names: str) -> None:
        self.names = names
        self.data_prefix = dict(video="/data")

    def __len__(self) -> int:
        return len(self.names)

    def get_data_info(self, index: int) -> dict:
        return dict(filename=f"/data/{self.names[index]}.mp4")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "folder" / "motion.npz"
    save_descriptors(path, Descriptors(ROWS, dict(step=4)))
    return path


def test_what_is_written_is_read(path: Path, tmp_path: Path) -> None:
    read = read_descriptors(path)
    assert read.settings == dict(step=4) and list(read.rows) == list(ROWS)
    for name, row in read.rows.items():
        np.testing.assert_array_equal(row, ROWS[name])
    assert list(path.parent.iterdir()) == [path]
    np.savez(tmp_path / "own.npz", videos=["x", "y"], descriptors=np.eye(2))
    assert read_descriptors(tmp_path / "own.npz").settings == {}, "made elsewhere"


def test_rows_follow_the_videos_and_some_may_be_missing(path: Path) -> None:
    rows, has = descriptors_of(path, Videos("c", "a/v", "b/v"), 0.0)
    assert rows.tolist() == [[5, 6], [1, 2], [3, 4]] and rows.dtype == torch.float32
    assert has.all()
    rows, has = descriptors_of(path, Videos("c", "new", "a/v"), 0.5)
    assert rows.tolist() == [[5, 6], [0, 0], [1, 2]] and has.tolist() == [True, False, True]
    with pytest.raises(ValueError, match=r"no descriptor of 1 of 3 training videos.*first: new"):
        descriptors_of(path, Videos("c", "new", "a/v"), 0.3)


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        (dict(videos=["x"]), "is not a descriptor file"),
        (dict(videos=["x"], descriptors=np.eye(2)), r"\(1,\) and \(2, 2\)"),
        (dict(videos=np.zeros(0, str), descriptors=np.zeros((0, 2))), "at least one video"),
        (dict(videos=["x", "x"], descriptors=np.eye(2)), "more than once"),
        (dict(videos=["x", "y"], descriptors=[[0, 1], [np.nan, 1]]), "first for the video y"),
        (dict(videos=np.array([None]), descriptors=np.eye(1)), "is not a descriptor file"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path: Path, arrays: dict, sentence: str) -> None:
    path = tmp_path / "wrong.npz"
    np.savez(path, **arrays)
    with pytest.raises(ValueError, match=sentence):
        read_descriptors(path)


def test_damaged_files_and_none_at_all(tmp_path: Path) -> None:
    path = tmp_path / "wrong.npz"
    np.savez_compressed(path, videos=["x"], descriptors=np.ones((1, 4000)))
    packed = bytearray(path.read_bytes())
    packed[len(packed) // 2 - 40 : len(packed) // 2] = b"\xff" * 40
    np.save(tmp_path / "one.npy", np.eye(2))
    single = (tmp_path / "one.npy").read_bytes()
    for content in (b"", b"text", b"PK\x03\x04 broken off", single, packed):
        path.write_bytes(content)
        with pytest.raises(ValueError, match="is not a descriptor file"):
            read_descriptors(path)
    np.savez(path, videos=["x"], descriptors=np.full((1, 2), 1e300))  # infinite in float32
    with pytest.raises(ValueError, match="not finite, first for the video x"):
        read_descriptors(path)
    with pytest.raises(FileNotFoundError, match=r"create it with .*extract_motion\.py"):
        read_descriptors(tmp_path / "none.npz")
