from __future__ import annotations

import numpy as np
import pytest
import torch

from slic_mmaction.hooks import rank_agreement
from slic_mmaction.hooks.rank_agreement import check_same_batches, check_same_labels


def agree(monkeypatch: pytest.MonkeyPatch, *ranks: list[int]) -> None:
    """Rank 0 checks, in a run whose ranks hold these labels."""
    mine = []
    with monkeypatch.context() as patch:
        patch.setattr(rank_agreement, "all_gather_object", lambda mark: mine.append(mark) or [mark])
        for labels in ranks:
            check_same_labels(torch.tensor(labels), "after a test")
        patch.setattr(rank_agreement, "all_gather_object", lambda _: mine)
        check_same_labels(torch.tensor(ranks[0]), "after a test")


def test_equal_labels_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    agree(monkeypatch, [0, 1, -1], [0, 1, -1], [0, 1, -1])


def test_labels_in_shared_memory_pass_without_ranks() -> None:
    table = torch.from_numpy(np.arange(10).reshape(2, 5)).share_memory_()
    check_same_labels(table[1], "after a test")


@pytest.mark.parametrize(
    ("ranks", "said"),
    [
        ([[0, 1], [0, 2]], r"after a test: rank 1 \(\w{12}\) against rank 0 \(\w{12}\)"),
        ([[0, 2], [0, 1], [0, 1]], r": rank 0 \(\w{12}\) against rank 1 \("),
        (
            [[0, 1], [0, 1, 1], [0, 1], [1, 0]],
            r": rank 1 \(\w+\), rank 3 \(\w+\) against rank 0 \(",
        ),
    ],
)
def test_ranks_with_other_labels_are_named(
    monkeypatch: pytest.MonkeyPatch, ranks: list[list[int]], said: str
) -> None:
    with pytest.raises(RuntimeError, match=said):
        agree(monkeypatch, *ranks)


def test_ranks_need_the_same_number_of_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    check_same_batches(3)
    monkeypatch.setattr(rank_agreement, "all_gather_object", lambda mine: [mine, 3, 2])
    with pytest.raises(ValueError, match=r"2 to 3 batches .* \(rank 0 has 3\).*round_up=True"):
        check_same_batches(3)
