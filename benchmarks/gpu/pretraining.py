"""Stage (d): pretraining of real clips, arms against each other at an equal budget.

Runs benchmarks/experiments/run.py, the arms of a measurement at the same time on the one GPU, and
keeps the figures of each seed; the untrained networks are what it evaluates as epoch 0. What does
not finish before the time limit is stopped and resumes in the next call on the same machine.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from settings import ROOT, OutOfTime, Settings
from stage_file import Result, markdown
from video_data import video_set

from slic_mmaction.preparation.options import available_cores

ARMS = ("slic", "instance", "no_temporal", "SUPERVISED_upper_bound")
# Embeds nothing, and needs what tools/data/extract_motion.py makes.
MOTION = ("motion_alone",)
SEEDS = (0, 1, 2)
EPOCHS = 200
FIGURES = ("R@1", "R@5", "mAP", "kNN")
# Seconds that stopping and writing take.
RESERVE = 20.0


def command(
    arms: tuple[str, ...], seed: int, epochs: int, out: Path, settings: Settings
) -> list[str]:
    """The call of benchmarks/experiments/run.py."""
    config = "pretraining_trial.py" if settings.small else "pretraining_config.py"
    videos = video_set(settings)
    training, evaluation = "train_dataloader.dataset.dataset", "evaluation_dataset"
    options = {
        f"{training}.ann_file": videos.train,
        f"{training}.data_prefix.video": videos.root,
        f"{evaluation}.gallery.ann_file": videos.train,
        f"{evaluation}.gallery.data_prefix.video": videos.root,
        f"{evaluation}.query.ann_file": videos.test,
        f"{evaluation}.query.data_prefix.video": videos.root,
    }
    pipelines = ["train_dataloader.dataset", evaluation]
    if arms == MOTION:
        options["custom_hooks.0.descriptors"] = motion_file(settings)
    else:
        pipelines.append("custom_hooks.0")
    for pipeline in pipelines:
        options[f"{pipeline}.pipeline.0.path"] = settings.scratch / "frames"
    call = [sys.executable, str(ROOT / "benchmarks/experiments/run.py")]
    call += ["--config", str(Path(__file__).with_name(config)), "--arms", *arms]
    call += ["--seeds", str(seed), "--epochs", str(epochs), "--out", str(out)]
    call += ["--jobs", str(len(arms)), "--cfg-options"]
    return call + [f"{key}={value}" for key, value in options.items()]


def run_seed(arms: tuple[str, ...], seed: int, epochs: int, settings: Settings) -> Result:
    """Train and evaluate all arms with a seed.

    Raises:
        OutOfTime: If the time limit comes first.
        RuntimeError: If a run fails.
    """
    if settings.data is None and not settings.small:
        return dict(skipped="pretraining needs real videos: --data")
    out = settings.scratch / "pretraining"
    out.mkdir(parents=True, exist_ok=True)
    if arms == MOTION:
        run_program(description(settings), out / "motion.log", settings)
    log = out / f"{arms[0]}_seed{seed}.log"
    run_program(command(arms, seed, epochs, out, settings), log, settings)
    figures = {arm: read_figures(out / arm / f"seed{seed}") for arm in arms}
    return dict(seed=seed, epochs=epochs, videos=len(video_set(settings).paths()), figures=figures)


def motion_file(settings: Settings) -> Path:
    """Where the motion of the videos is described."""
    return settings.scratch / "motion.npz"


def description(settings: Settings) -> list[str]:
    """The call that describes the motion of the training videos, or finds it done."""
    videos = video_set(settings)
    call = [sys.executable, str(ROOT / "tools/data/extract_motion.py"), str(videos.train)]
    call += ["--video-root", str(videos.root), "--out", str(motion_file(settings))]
    return [*call, "--workers", str(available_cores())]


def run_program(call: list[str], log: Path, settings: Settings) -> None:
    """Run a program for as long as there is time.

    Raises:
        OutOfTime: If the time limit comes first.
        RuntimeError: If the program fails.
    """
    limit = settings.seconds_left() - RESERVE
    if limit < RESERVE:
        raise OutOfTime
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join(
        [str(ROOT), *filter(None, [environment.get("PYTHONPATH")])]
    )
    if settings.device.type == "cpu":
        environment["CUDA_VISIBLE_DEVICES"] = ""
    with open(log, "w", encoding="utf-8") as file:
        # A session of its own, so that stopping it stops the trainings that it started.
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
            stop(process)
    if process.returncode:
        tail = log.read_text(encoding="utf-8")[-1500:]
        raise RuntimeError(f"{Path(call[1]).name} ended with {process.returncode}:\n{tail}")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End a program and all that it started."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def read_figures(folder: Path) -> list[dict[str, Any]]:
    """A row for each evaluated epoch and feature of a run."""
    rows: list[dict[str, Any]] = json.loads((folder / "figures.json").read_text(encoding="utf-8"))
    return rows


def measurements(settings: Settings) -> Iterator[tuple[str, Callable[[], Result]]]:
    """Two measurements for each seed."""
    arms, seeds, epochs = (ARMS[:1], SEEDS[:1], 1) if settings.small else (ARMS, SEEDS, EPOCHS)
    for seed in seeds:
        for together in (arms, MOTION):
            label = f"seed {seed}, {epochs} epochs of {', '.join(together)}"
            yield label, partial(run_seed, together, seed, epochs, settings)


def table(results: dict[str, Result]) -> str:
    """Mean and standard deviation over seeds, by arm, at the last epoch; random is epoch 0."""
    values: dict[tuple[str, str, str], list[float]] = defaultdict(list)
    for result in results.values():
        for arm, rows in result.get("figures", {}).items():
            last = max(row["epoch"] for row in rows)
            for row in rows:
                name = {last: arm, 0: "random"}.get(row["epoch"])
                # All arms of a seed start from the same weights.
                if name == "random" and arm != ARMS[0]:
                    continue
                for figure in FIGURES if name else ():
                    values[name or "", row["feature"], figure].append(row[figure])
    pairs = dict.fromkeys((arm, feature) for arm, feature, _ in values)
    rows_ = [
        [arm, feature, *(mean_and_spread(values[arm, feature, f]) for f in FIGURES)]
        for arm, feature in pairs
    ]
    parts = [markdown(["arm", "feature", *(f"{f} %" for f in FIGURES)], rows_)]
    parts += [
        f"{name}: {said}: {result[said].strip().splitlines()[-1]}"
        for name, result in results.items()
        for said in ("skipped", "failed")
        if said in result
    ]
    return "\n\n".join(parts)


def mean_and_spread(values: list[float]) -> str:
    """``mean ± standard deviation (number)``."""
    spread = f" ± {statistics.stdev(values):.1f}" if len(values) > 1 else ""
    return f"{statistics.mean(values):.1f}{spread} ({len(values)})"
