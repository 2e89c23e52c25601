"""Measure this project on one device, stage by stage; what is measured already is kept.

    python benchmarks/gpu/run.py --stage correctness throughput neighbours pretraining \
        --out benchmarks/results/gpu --time-limit 540
    python benchmarks/gpu/run.py --stage correctness --device cpu --small --out /tmp/trial

Every stage writes ``STAGE_DEVICE.json`` and ``.md``. Give the same command again to go on after a
time limit or a kill; measurements that failed or disagreed are made again. docs/gpu.md says what
they mean.
Ends with 1 if a measurement failed or disagreed, with 3 if the time limit left some undone.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Protocol

import correctness
import neighbours
import pretraining
import throughput
import torch
from mmengine.registry import DefaultScope
from settings import OutOfTime, Settings
from stage_file import Result, StageFile, UnusableFileError, is_bad

from slic_mmaction.evaluation.records import code_version

Measurement = tuple[str, Callable[[], Result]]


class Stage(Protocol):
    """What the module of a stage has."""

    def measurements(self, settings: Settings) -> Iterator[Measurement]:
        """Names, and what measures, in order."""

    def table(self, results: dict[str, Result]) -> str:
        """The figures as Markdown."""


STAGES: dict[str, Stage] = {
    "correctness": correctness,
    "throughput": throughput,
    "neighbours": neighbours,
    "pretraining": pretraining,
}
# The others' figures do not depend on --data.
ON_VIDEOS = ("throughput", "pretraining")
DONE, FAILED, UNFINISHED = 0, 1, 3


def run_stage(name: str, stage: Stage, settings: Settings, folder: Path) -> int:
    """Measure what is not there yet, and write the table.

    Args:
        name: Of the stage.
        stage: Its module.
        settings: Of the call.
        folder: For the result files.

    Returns:
        DONE, FAILED or UNFINISHED.
    """
    file = StageFile(folder, name, settings)
    longest, code = 0.0, DONE
    asked, commit = [], code_version()
    for label, measure in stage.measurements(settings):
        asked.append(label)
        if file.is_done(label):
            continue
        # One that takes as long as the longest so far would be cut off.
        if settings.seconds_left() < longest:
            code = UNFINISHED
            break
        start = time.monotonic()
        try:
            result = measure()
        except OutOfTime:
            code = UNFINISHED
            break
        except Exception as error:  # Out of memory, no such kernel, ...: that is the result.
            result = dict(failed=f"{type(error).__name__}: {error}")
        took = time.monotonic() - start
        longest = max(longest, took)
        file.add(label, dict(result, took_s=round(took, 2), commit=commit))
        print(f"{name}: {label}: {brief(result)} ({took:.1f} s)", flush=True)
        gc.collect()
        if settings.device.type == "cuda":
            torch.cuda.empty_cache()
    print(f"{name}: {file.write_table(stage.table(file.results))}", flush=True)
    if code == UNFINISHED:
        print(f"{name}: the time limit is near, so the rest is left for the same command again.")
        return code
    bad = [label for label in asked if is_bad(file.results[label])]
    if bad:
        print(f"{name}: failed or not as expected: {'; '.join(bad)}")
    return FAILED if bad else DONE


def brief(result: Result) -> str:
    """Numbers and verdicts of a result on one line."""
    shown = {k: v for k, v in result.items() if isinstance(v, (bool, int, float, str))}
    return ", ".join(
        f"{key} {value:.4g}" if isinstance(value, float) else f"{key} {value}"
        for key, value in shown.items()
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stage", nargs="+", choices=tuple(STAGES), default=list(STAGES))
    parser.add_argument("--out", type=Path, required=True, help="folder of the result files")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="sizes for a trial on a CPU")
    parser.add_argument("--data", type=Path, help="folder of videos; made up if not given")
    parser.add_argument("--time-limit", type=float, default=float("inf"), metavar="SECONDS")
    args = parser.parse_args(argv)
    if args.device == "cuda" and not torch.cuda.is_available():
        parser.error("torch sees no GPU here: --device cpu --small tries the stages on a CPU.")
    if args.data is not None and not (args.data / "train_split1.txt").is_file():
        parser.error(f"{args.data} has no train_split1.txt: --data is a folder like ucf101_6.")
    settings = Settings(
        device=torch.device(args.device),
        small=args.small,
        data=args.data.resolve() if args.data else None,
        scratch=Path(tempfile.gettempdir()) / "slic_gpu_scratch",
        time_limit=args.time_limit,
    )
    codes = []
    with DefaultScope.overwrite_default_scope("mmaction"):
        for name in args.stage:
            own = settings if name in ON_VIDEOS else dataclasses.replace(settings, data=None)
            try:
                codes.append(run_stage(name, STAGES[name], own, args.out))
            except UnusableFileError as error:
                parser.error(str(error))
            if codes[-1] == UNFINISHED:
                return UNFINISHED
    return max(codes)


if __name__ == "__main__":
    raise SystemExit(main())
