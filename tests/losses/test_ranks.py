"""Losses of two and three gloo ranks against one process with the whole batch."""

from __future__ import annotations

from pathlib import Path
from runpy import run_path

import pytest
import torch
from mmengine.registry import DefaultScope

from slic_mmaction.losses import PseudoLabelTripletLoss

PROGRAM = Path(__file__).with_name("losses_on_rank.py")


@pytest.fixture(scope="module")
def alone() -> dict[str, dict[str, torch.Tensor]]:
    with DefaultScope.overwrite_default_scope("mmaction"):
        outcome = run_path(str(PROGRAM))["run"](world=1)
    gradients = [name for name in outcome["triplets"] if name.endswith("gradient")]
    assert len(gradients) == 2 * 6 and all(outcome["triplets"][name].any() for name in gradients)
    assert outcome["queue"]["queue.label_digits"].any(dim=1).all()  # it is full
    assert outcome["queue"]["weight"].ne(outcome["info_nce"]["weight"]).any()
    return outcome


@pytest.mark.slow
@pytest.mark.parametrize("world", [2, 3])
def test_ranks_have_losses_gradients_and_queue_of_one_process(
    world: int, alone: dict, run_on_ranks, tmp_path: Path
) -> None:
    run_on_ranks(world, PROGRAM, tmp_path)
    ranks = [torch.load(tmp_path / f"rank_{r}.pt", weights_only=True) for r in range(world)]
    # Rank r brought r + 1 rows, 10 r + k: dealt in turn until a rank has no more.
    dealt = sorted((k, r) for r in range(world) for k in range(r + 1))
    for r, rank in enumerate(ranks):
        for case, expected in alone.items():
            assert rank[case].keys() == expected.keys()
            for name, value in expected.items():
                # The same rows in the same order: only sums over ranks are taken in another order.
                torch.testing.assert_close(
                    rank[case][name], value, atol=1e-12, rtol=0, msg=f"{case}: {name} differs"
                )
        rows = rank["rows"]
        assert rows["gathered"].flatten().tolist() == [10.0 * r + k for k, r in dealt]
        assert rows["gathered"].dtype == torch.float32
        assert rows["labels"].tolist() == [k for k, _ in dealt]
        places = [dealt.index((k, r)) + 1 for k in range(r + 1)]
        assert rows["own_gradient"].tolist() == [world * place for place in places]
        assert torch.equal(rows["draws"], ranks[0]["rows"]["draws"])
        assert rows["draws"][0] != rows["draws"][1]


def test_without_ranks_gathering_changes_nothing() -> None:
    embeddings, labels = torch.randn(6, 3, 8), torch.arange(6) // 2
    alone, gathered = (
        PseudoLabelTripletLoss(gather=gather)(embeddings, labels, torch.Generator().manual_seed(1))
        for gather in (False, True)
    )
    assert alone == gathered
