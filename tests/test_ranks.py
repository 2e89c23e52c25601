from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.distributed as dist

from slic_mmaction import ranks as ranks_module
from slic_mmaction import stock_tools
from slic_mmaction.ranks import (
    LostRankError,
    check_same_batches,
    check_same_labels,
    lost_rank,
    share_of,
)

CLOSED = "[/x/gloo/gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]"
SILENT = "[/x/gloo/transport/tcp/unbound_buffer.cc:78] Timed out waiting 10000ms for recv operation"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError(CLOSED), "closed its connection"),
        (RuntimeError(SILENT), "did not answer within the timeout"),
        (dist.DistBackendError("NCCL communicator was aborted on rank 1"), "closed its connection"),
        (dist.DistStoreError("wait timeout after 10000ms"), "did not answer within the timeout"),
    ],
)
def test_errors_of_torch_distributed_are_told_in_words(error: RuntimeError, said: str) -> None:
    lost = lost_rank(error)
    assert lost is not None and said in str(lost) and "--resume" in str(lost)
    assert lost_rank(lost) is lost
    # Other errors are not.
    assert lost_rank(RuntimeError("CUDA out of memory")) is None
    assert lost_rank(ValueError("no such file: gloomy.mp4")) is None


@pytest.mark.parametrize("known", [True, False])
def test_tools_end_with_the_sentence(monkeypatch: pytest.MonkeyPatch, known: bool) -> None:
    error = RuntimeError(CLOSED if known else "something else")

    def run(path: str, run_name: str) -> None:
        raise error

    monkeypatch.setattr(stock_tools.runpy, "run_path", run)
    with pytest.raises(RuntimeError) as raised:
        stock_tools.run_stock_tool("train")
    if known:
        assert isinstance(raised.value, LostRankError) and raised.value.__cause__ is error
    else:
        assert raised.value is error


def agree(monkeypatch: pytest.MonkeyPatch, *labels_of_ranks: list[int]) -> None:
    """Rank 0 checks, in a run whose ranks hold these labels."""
    mine = []
    with monkeypatch.context() as patch:
        patch.setattr(ranks_module, "all_gather_object", lambda mark: mine.append(mark) or [mark])
        for labels in labels_of_ranks:
            check_same_labels(torch.tensor(labels), "after a test")
        patch.setattr(ranks_module, "all_gather_object", lambda _: mine)
        check_same_labels(torch.tensor(labels_of_ranks[0]), "after a test")


def test_equal_labels_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    agree(monkeypatch, [0, 1, -1], [0, 1, -1], [0, 1, -1])
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
    monkeypatch.setattr(ranks_module, "all_gather_object", lambda mine: [mine, 3, 2])
    with pytest.raises(ValueError, match=r"2 to 3 batches .* \(rank 0 has 3\).*round_up=True"):
        check_same_batches(3)


def test_shares_cover_all_rows_in_order() -> None:
    for num_rows in (0, 1, 2, 11):
        for size in (1, 2, 3):
            shares = [share_of(num_rows, rank, size) for rank in range(size)]
            assert [row for share in shares for row in share] == list(range(num_rows))
            assert max(map(len, shares)) - min(map(len, shares)) <= 1
