from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from slic_mmaction.hooks.label_files import save_labels


def test_file_reads_back_and_leaves_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "pseudo_labels" / "epoch_5.npz"
    save_labels(path, np.array([3, -1]), ["a b.mp4", "ü.mp4"], epoch=5)
    save_labels(path, np.array([4, -1]), ["a b.mp4", "ü.mp4"], epoch=5)
    with np.load(path) as saved:
        assert saved["labels"].tolist() == [4, -1]
        assert saved["videos"].tolist() == ["a b.mp4", "ü.mp4"]
        assert saved["epoch"] == 5
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_a_failed_write_keeps_the_old_file(tmp_path: Path, monkeypatch) -> None:
    path = tmp_path / "epoch_0.npz"
    save_labels(path, np.array([1]), ["a.mp4"], epoch=0)

    def half(file, **arrays) -> None:
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", half)
    with pytest.raises(OSError, match="disk full"):
        save_labels(path, np.array([2]), ["a.mp4"], epoch=0)
    with np.load(path) as saved:
        assert saved["labels"].tolist() == [1]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
