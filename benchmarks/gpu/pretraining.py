"""Stage 4: compare SLIC with instance discrimination on real clips at an equal budget.

It calls benchmarks/experiments/run.py for both arms of a seed at the same time on one GPU.
Unfinished runs are stopped at the time limit, and resumed from their last checkpoint in the next
call.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from input_pipeline import NO_VIDEOS
from settings import ROOT, OutOfTime, Settings
from stage_file import Result, left_out

sys.path.insert(0, str(ROOT / "benchmarks" / "experiments"))
import report

ARMS = ("slic", "instance")
SEEDS = (0, 1, 2)
# Each continues the one before, so that a call that ends early has figures, too.
EPOCHS = (25, 100, 200)
# Seconds for stopping and writing.
RESERVE = 20.0
# For a test on a CPU, which shows that it runs, not that it learns.
SMALL = {
    "model.backbone.base_channels": 4,
    "model.backbone.conv1_kernel": "(1,3,3)",
    "model.cls_head.in_channels": 32,
    "model.cls_head.hidden_channels": 16,
    "train_dataloader.batch_size": 4,
    "train_dataloader.num_workers": 0,
    "train_dataloader.persistent_workers": False,
    "custom_hooks.0.num_workers": 0,
    "evaluation_dataset.pipeline.1.num_clips": 2,
    "evaluation_workers": 0,
    "default_hooks.checkpoint.interval": 1,
}


def command(
    arms: tuple[str, ...], seed: int, epochs: int, data: Path, settings: Settings
) -> list[str]:
    """Return the command line of benchmarks/experiments/run.py."""
    options: dict[str, object] = dict(SMALL) if settings.small else {}
    sets = {
        "train_dataloader.dataset.dataset": "train_split1.txt",
        "evaluation_dataset.gallery": "train_split1.txt",
        "evaluation_dataset.query": "test_split1.txt",
    }
    for part, listed in sets.items():
        options[f"{part}.ann_file"] = data / listed
        options[f"{part}.data_prefix.video"] = data / "videos"
    for part in ("train_dataloader.dataset", "evaluation_dataset", "custom_hooks.0"):
        options[f"{part}.pipeline.0.path"] = settings.scratch / "frames"
    call = [sys.executable, str(ROOT / "benchmarks/experiments/run.py")]
    call += ["--config", str(Path(__file__).with_name("pretraining_config.py"))]
    call += ["--arms", *arms, "--seeds", str(seed), "--epochs", str(epochs)]
    call += ["--out", str(settings.scratch / "pretraining"), "--jobs", str(len(arms))]
    return [*call, "--cfg-options", *(f"{key}={value}" for key, value in options.items())]


def run_seed(arms: tuple[str, ...], seed: int, epochs: int, settings: Settings) -> Result:
    """Train and evaluate all arms with a seed.

    Raises:
        OutOfTime: If the time limit comes first.
        RuntimeError: If a run fails.
    """
    if settings.data is None:
        return dict(skipped=NO_VIDEOS)
    out = settings.scratch / "pretraining"
    out.mkdir(parents=True, exist_ok=True)
    log = out / f"seed{seed}.log"
    run_program(command(arms, seed, epochs, settings.data, settings), log, settings)
    figures = {
        arm: json.loads((out / arm / f"seed{seed}" / "figures.json").read_text("utf-8"))
        for arm in arms
    }
    return dict(seed=seed, epochs=epochs, figures=figures)


def run_program(call: list[str], log: Path, settings: Settings) -> None:
    """Run a program, and end it and its child processes at the time limit.

    Raises:
        OutOfTime: If the time limit comes first.
        RuntimeError: If the program fails.
    """
    limit = settings.seconds_left() - RESERVE
    if limit < RESERVE:
        raise OutOfTime
    environment = dict(os.environ)
    if settings.device.type == "cpu":
        environment["CUDA_VISIBLE_DEVICES"] = ""
    with open(log, "w", encoding="utf-8") as file:
        process = subprocess.Popen(
            call,
            stdout=file,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            env=environment,
            start_new_session=True,
        )
        try:
            process.wait(None if limit == float("inf") else limit)
        except subprocess.TimeoutExpired:
            raise OutOfTime from None
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
    if process.returncode:
        tail = log.read_text(encoding="utf-8")[-1500:]
        raise RuntimeError(f"{Path(call[1]).name} ended with {process.returncode}:\n{tail}")


def measurements(settings: Settings) -> Iterator[tuple[str, Callable[[], Result]]]:
    """Yield a measurement for each seed and number of epochs."""
    arms, seeds, lengths = (ARMS[:1], SEEDS[:1], (1,)) if settings.small else (ARMS, SEEDS, EPOCHS)
    for seed in seeds:
        for epochs in lengths:
            label = f"seed {seed}, {epochs} epochs of {', '.join(arms)}"
            yield label, partial(run_seed, arms, seed, epochs, settings)


def table(results: dict[str, Result]) -> str:
    """Format the mean and standard deviation over seeds, and differences between arms."""
    runs: dict[str, dict[str, Any]] = {}
    for result in results.values():
        for arm, rows in result.get("figures", {}).items():
            seeds = runs.setdefault(arm, {})
            seeds[str(result["seed"])] = dict(figures=rows, clusterings=[])
    if not runs:
        return left_out(results)
    # The last epoch that all seeds have reached.
    all_runs = [run["figures"] for seeds in runs.values() for run in seeds.values()]
    epoch = min(max(row["epoch"] for row in figures) for figures in all_runs)
    lines = [*report.table(runs, epoch), "", *report.differences(runs, epoch, list(runs)[-1])]
    return "\n".join([*lines, "", left_out(results)])
