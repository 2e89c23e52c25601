from __future__ import annotations

import pytest
import torch.distributed as dist

from slic_mmaction import stock_tools
from slic_mmaction.lost_rank import LostRankError, lost_rank

CLOSED = "[/x/gloo/gloo/transport/tcp/pair.cc:553] Connection closed by peer [127.0.0.1]"
SILENT = "[/x/gloo/transport/tcp/unbound_buffer.cc:78] Timed out waiting 10000ms for recv operation"


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError(CLOSED), "closed its connection"),
        (RuntimeError(SILENT), "did not answer within the time-out"),
        (dist.DistBackendError("NCCL communicator was aborted on rank 1"), "closed its connection"),
        (dist.DistStoreError("wait timeout after 10000ms"), "did not answer within the time-out"),
    ],
)
def test_errors_of_torch_distributed_are_told_in_words(error: RuntimeError, said: str) -> None:
    lost = lost_rank(error)
    assert lost is not None and said in str(lost) and "--resume" in str(lost)
    assert lost_rank(lost) is lost


def test_other_errors_are_not() -> None:
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
