from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.hooks import embedding_matrix
from slic_mmaction.hooks.embedding_matrix import keep_rows, new_matrix, sum_over_ranks

CPU = torch.device("cpu")


def mapped(path: str) -> list[str]:
    return [line for line in Path("/proc/self/maps").read_text().splitlines() if path in line]


def test_what_fits_stays_in_memory(tmp_path: Path) -> None:
    matrix = new_matrix(10, 4, CPU, 160, tmp_path)
    assert matrix.shape == (10, 4) and not matrix.any()
    assert not mapped(str(tmp_path))


def test_what_does_not_fit_goes_to_a_file_that_leaves_nothing_behind(tmp_path: Path) -> None:
    matrix = new_matrix(10, 4, CPU, 159, tmp_path / "new")
    matrix[3] = 7
    sum_over_ranks(matrix, CPU)
    assert matrix.dtype == torch.float32 and matrix.sum() == 28
    assert mapped(str(tmp_path))
    assert list((tmp_path / "new").iterdir()) == []
    del matrix
    assert not mapped(str(tmp_path))


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch) -> None:
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(embedding_matrix.os, "posix_fallocate", full)
    with pytest.raises(OSError, match=r"No space left .* raise max_embedding_bytes"):
        new_matrix(10, 4, CPU, 0, tmp_path)
    assert list(tmp_path.iterdir()) == []


@given(keep=st.lists(st.booleans(), min_size=1, max_size=20))
@settings(deadline=None, max_examples=50)
def test_kept_rows_move_up(keep: list[bool]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding_matrix, "_BLOCK_ELEMENTS", 6)
        matrix = torch.arange(2.0 * len(keep)).view(-1, 2)
        expected = matrix[torch.tensor(keep)].clone()
        start = matrix.data_ptr()
        kept = keep_rows(matrix, np.array(keep))
    assert torch.equal(kept, expected)
    assert kept.data_ptr() in (start, 0)  # no second matrix
