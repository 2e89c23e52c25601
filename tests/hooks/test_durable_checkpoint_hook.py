"""At every moment of a run, ``last_checkpoint`` names a checkpoint that is there."""

from __future__ import annotations

import builtins
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.evaluator import BaseMetric
from mmengine.hooks import CheckpointHook
from mmengine.model import BaseModel
from torch.utils.data import TensorDataset

from slic_mmaction.hooks import DurableCheckpointHook

from ..runs import state, toy_run

SCORES = [3.0, 1.0, 5.0, 5.0, 7.0]
BEST = dict(save_best="score", rule="greater")


class Toy(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.zeros(1))

    def forward(self, x: torch.Tensor, mode: str):
        return dict(loss=(self.weight - x).square().mean()) if mode == "loss" else [x]


class Scripted(BaseMetric):
    def __init__(self) -> None:
        super().__init__()
        self.scores = iter(SCORES)

    def process(self, data_batch, data_samples) -> None:
        self.results.append(0)

    def compute_metrics(self, results) -> dict[str, float]:
        return dict(score=next(self.scores))


def toy(work_dir: Path, hook: type, epochs: int = 5, load_from: str | None = None, **options):
    return toy_run(
        work_dir,
        Toy(),
        TensorDataset(torch.ones(2)),
        epochs,
        val_evaluator=[Scripted()],
        default_hooks=dict(checkpoint=hook(interval=1, **options)),
        load_from=load_from,
        resume=True,
    )


def files(work_dir: Path) -> set[str]:
    return {path.name for path in work_dir.iterdir() if ".pth" in path.name}


@pytest.fixture
def watched(monkeypatch):
    """Look into a work dir after everything that changes a file: what could not be resumed?"""

    def watch(work_dir: Path) -> list[str]:
        lost: list[str] = []
        looking: list[bool] = []
        pointer = work_dir / "last_checkpoint"

        def watching(function):
            def wrapped(*args, **kwargs):
                result = function(*args, **kwargs)
                if not looking and pointer.exists():
                    looking.append(True)
                    try:
                        state(Path(pointer.read_text()))
                    except (OSError, RuntimeError, EOFError) as error:
                        lost.append(repr(error))
                    looking.clear()
                return result

            return wrapped

        for module, name in ((os, "replace"), (os, "remove"), (builtins, "open")):
            monkeypatch.setattr(module, name, watching(getattr(module, name)))
        return lost

    return watch


@pytest.mark.parametrize("keep", [-1, 1, 3])
def test_one_can_be_resumed_at_every_moment_and_the_same_are_kept(
    watched, tmp_path: Path, keep: int
) -> None:
    options = dict(BEST, max_keep_ckpts=keep)
    lost = watched(tmp_path / "durable")
    toy(tmp_path / "durable", DurableCheckpointHook, **options).train()
    assert not lost
    lost = watched(tmp_path / "stock")
    toy(tmp_path / "stock", CheckpointHook, **options).train()
    assert lost or keep != 1, "what the hook is for; MMEngine has mended it"
    kept = {f"epoch_{epoch}.pth" for epoch in range(1, 6)[-keep if keep > 0 else 0 :]}
    assert files(tmp_path / "durable") == files(tmp_path / "stock")
    assert files(tmp_path / "durable") == kept | {"best_score_epoch_5.pth"}


class Stopped(Exception):
    pass


def stop_at(function, name: str, error: Exception | type[Exception] = Stopped):
    def stopping(*args, **kwargs):
        if any(name in str(arg) for arg in args):
            raise error
        return function(*args, **kwargs)

    return stopping


def test_what_a_killed_run_could_not_remove_its_resumed_self_removes(
    tmp_path: Path, monkeypatch
) -> None:
    with monkeypatch.context() as context, pytest.raises(Stopped):
        context.setattr(os, "remove", stop_at(os.remove, "epoch_1.pth"))
        toy(tmp_path, DurableCheckpointHook, max_keep_ckpts=2).train()
    assert files(tmp_path) == {"epoch_1.pth", "epoch_2.pth", "epoch_3.pth"}
    toy(tmp_path, DurableCheckpointHook, max_keep_ckpts=2).train()
    assert files(tmp_path) == {"epoch_4.pth", "epoch_5.pth"}


def test_the_best_stays_until_a_better_one_is_written(tmp_path: Path, monkeypatch) -> None:
    with monkeypatch.context() as context, pytest.raises(OSError, match="intact"):
        full = stop_at(os.replace, "best_score_epoch_3.pth", OSError("disk full"))
        context.setattr(os, "replace", full)
        toy(tmp_path, DurableCheckpointHook, **BEST).train()
    assert "best_score_epoch_1.pth" in files(tmp_path)
    assert not any(name.endswith(".part") for name in files(tmp_path))


@pytest.mark.parametrize(
    "named",
    [
        dict(outdated_best=["{folder}"]),
        dict(best_ckpt="{folder}", best_score=-1.0),
        dict(best_ckpt="{folder}/precious.txt", best_score=-1.0),
        dict(keep_ckpt_ids=["1/../../precious", "2/../../precious", 3, 4, 5]),
    ],
)
def test_nothing_that_a_checkpoint_names_is_removed(tmp_path: Path, named: dict) -> None:
    options = dict(BEST, max_keep_ckpts=1)
    toy(tmp_path / "first", DurableCheckpointHook, epochs=1, **options).train()
    precious = tmp_path / "precious.pth" / "precious.txt"
    precious.parent.mkdir()
    precious.write_text("x")
    checkpoint = state(tmp_path / "first" / "epoch_1.pth")
    (tmp_path / "run" / "epoch_1").mkdir(parents=True)
    (tmp_path / "run" / "best_score_epoch_1.pth").write_text("of an earlier run")
    text = json.dumps(named).replace("{folder}", str(precious.parent))
    checkpoint["message_hub"]["runtime_info"].update(json.loads(text))
    stranger = tmp_path / "stranger.pth"
    torch.save(checkpoint, stranger)
    run = toy(tmp_path / "run", DurableCheckpointHook, load_from=str(stranger), **options)
    run.train()
    assert run.epoch == 5
    assert precious.read_text() == "x"
    assert (tmp_path / "run" / "best_score_epoch_1.pth").exists()
    assert {"epoch_5.pth", "best_score_epoch_4.pth"} <= files(tmp_path / "run")


def test_a_best_one_that_a_killed_run_could_not_remove_goes_but_no_folder(
    tmp_path: Path, monkeypatch
) -> None:
    with monkeypatch.context() as context, pytest.raises(Stopped):
        context.setattr(os, "remove", stop_at(os.remove, "best_score_epoch_1.pth"))
        toy(tmp_path, DurableCheckpointHook, **BEST).train()
    best = {name for name in files(tmp_path) if name.startswith("best")}
    assert best == {"best_score_epoch_1.pth", "best_score_epoch_3.pth"}
    (tmp_path / "best_score_epoch_2.pth").mkdir()
    # Its scores begin anew, so none is better.
    toy(tmp_path, DurableCheckpointHook, **BEST).train()
    best = {name for name in files(tmp_path) if name.startswith("best")}
    assert best == {"best_score_epoch_2.pth", "best_score_epoch_3.pth"}


def test_two_trainings_do_not_write_into_one_folder(tmp_path: Path) -> None:
    holding = """
import fcntl, sys
file = open(sys.argv[1], "w")
file.write("process 7 on somewhere")
file.flush()
fcntl.lockf(file, fcntl.LOCK_EX)
print("held", flush=True)
sys.stdin.read()
"""
    other = subprocess.Popen(
        [sys.executable, "-c", holding, str(tmp_path / ".training")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert other.stdout.readline() == b"held\n"
    with pytest.raises(RuntimeError, match=r"process 7 on somewhere, writes into .*--work-dir"):
        toy(tmp_path, DurableCheckpointHook).train()
    assert not files(tmp_path)
    other.communicate()
    toy(tmp_path, DurableCheckpointHook, epochs=1).train()
    assert files(tmp_path) == {"epoch_1.pth"}
    toy(tmp_path, DurableCheckpointHook, epochs=2).train()
    assert f"process {os.getpid()} on" in (tmp_path / ".training").read_text()
    # Checkpoints may go elsewhere from now on.
    elsewhere = tmp_path / "elsewhere"
    toy(tmp_path, DurableCheckpointHook, epochs=3, out_dir=str(elsewhere)).train()
    assert files(elsewhere / tmp_path.name) == {"epoch_3.pth"}


@pytest.mark.parametrize("key", ["retrieval/R@1", "knn/iic/k20_T0.07/top1", "retrieval/mAP"])
def test_more_is_better_for_all_figures_of_an_evaluation(key: str) -> None:
    assert DurableCheckpointHook(save_best=key).rules == ["greater"]
