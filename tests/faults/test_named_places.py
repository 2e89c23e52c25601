"""Killed at a named place, then resumed: the run ends as if nothing had happened."""

from __future__ import annotations

from pathlib import Path

import pytest

pytestmark = pytest.mark.faults

ITERATION = "mmengine.optim.optimizer.optimizer_wrapper:OptimWrapper.update_params"
BATCH = "slic_mmaction.models.slic_head:SLICHead.predict"
CLUSTERER = "slic_mmaction.clustering.finch:FINCH.__call__"


def place(name: str, full: bool = True, **kill: object) -> object:
    marks = [pytest.mark.faults(full=True)] if full else []
    return pytest.param(name, kill, id=name, marks=marks)


# Clustering, of two batches, before epochs 1 and 3; three iterations in an epoch, then a
# checkpoint and a validation of three batches.
PLACES = [
    place("second iteration, before any checkpoint", call=ITERATION, nth=2),
    place("last iteration of epoch 3", call=ITERATION, nth=9),
    place("second clustering, embedding", call=BATCH, nth=10),
    place("second clustering, FINCH", call=CLUSTERER, nth=2),
    place("label file half written", half_written="epoch_2.npz"),
    place("label file before it is renamed", before_rename="epoch_2.npz"),
    place("first checkpoint half written", half_written="epoch_1.pth"),
    place("third checkpoint half written", half_written="epoch_3.pth", full=False),
    place("third checkpoint before it is renamed", before_rename="epoch_3.pth"),
    place("third checkpoint after it is renamed", after_rename="epoch_3.pth"),
    place("last_checkpoint half written", half_written="last_checkpoint", nth=3),
    place("removing an old checkpoint", call="os:remove", nth=1),
    place("best checkpoint half written", half_written="best_"),
    place("validation of epoch 2", call=BATCH, nth=7),
    place("validation of the last epoch", call=BATCH, nth=15, full=False),
    place("log line half written", half_written="scalars.json", nth=8),
]


@pytest.mark.parametrize(("name", "kill"), PLACES)
def test_killed_and_resumed(
    name, kill, start, fault_config, uninterrupted, outcome_of, tmp_path: Path
) -> None:
    work_dir = tmp_path / "work"
    code, output = start(fault_config(hooks=[dict(type="KillAt", **kill)]), work_dir).end()
    assert code == -9, output[-3000:]
    code, output = start(fault_config(), work_dir, "--resume").end()
    assert code == 0, output[-3000:]
    assert outcome_of(work_dir) == uninterrupted
