"""Two and three gloo ranks against one process with the whole batch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from slic_mmaction.losses import PseudoLabelTripletLoss

PROGRAM = Path(__file__).with_name("gather_on_rank.py")


def outcomes(world: int, folder: Path) -> list[dict]:
    env = dict(os.environ, OMP_NUM_THREADS="1")
    ranks = [
        subprocess.Popen(
            [sys.executable, str(PROGRAM), str(rank), str(world), str(folder)],
            env=env,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(world)
    ]
    errors = [process.communicate(timeout=240)[1] for process in ranks]
    assert not any(process.returncode for process in ranks), "\n".join(errors)[-3000:]
    return [torch.load(folder / f"rank_{r}.pt", weights_only=True) for r in range(world)]


@pytest.fixture(scope="module")
def one_process(tmp_path_factory: pytest.TempPathFactory) -> dict:
    return outcomes(1, tmp_path_factory.mktemp("one"))[0]["losses"]


@pytest.mark.slow
@pytest.mark.parametrize("world", [2, 3])
def test_ranks_have_loss_and_gradient_of_the_whole_batch(
    world: int, one_process: dict, tmp_path: Path
) -> None:
    ranks = outcomes(world, tmp_path)
    gradients = [name for name in one_process if name.endswith("gradient")]
    assert len(gradients) == 2 * 6 and all(one_process[name].any() for name in gradients)
    for rank in ranks:
        assert rank["losses"].keys() == one_process.keys()
        for name, expected in one_process.items():
            # The same rows in the same order: only sums of gradients are taken in another order.
            torch.testing.assert_close(
                rank["losses"][name], expected, atol=1e-12, rtol=0, msg=f"{name} differs"
            )
        # Rank r brought r + 1 rows, 10 r + k: dealt in turn until a rank has no more.
        dealt = sorted((k, r) for r in range(world) for k in range(r + 1))
        assert rank["gathered"].flatten().tolist() == [10.0 * r + k for k, r in dealt]
        assert rank["gathered"].dtype == torch.float32
        assert rank["labels"].tolist() == [k for k, _ in dealt]
        assert rank["first"] == ranks[0]["first"] and rank["second"] == ranks[0]["second"]
        assert rank["first"] != rank["second"]
    for r, rank in enumerate(ranks):
        places = [dealt.index((k, r)) + 1 for k in range(r + 1)]
        assert rank["own_gradient"].tolist() == [world * place for place in places]


def test_without_ranks_gathering_changes_nothing() -> None:
    embeddings, labels = torch.randn(6, 3, 8), torch.arange(6) // 2
    alone, gathered = (
        PseudoLabelTripletLoss(gather=gather)(embeddings, labels, torch.Generator().manual_seed(1))
        for gather in (False, True)
    )
    assert alone == gathered
