"""Measure this project on one device in several stages, and keep earlier measurements.

    python benchmarks/gpu/run.py --stage correctness throughput neighbours pretraining \
        --out benchmarks/results/gpu --data data/ucf101_6 --time-limit 540
    python benchmarks/gpu/run.py --stage correctness --device cpu --small --out OUT

Every stage writes ``STAGE_DEVICE.json`` after each measurement, and ``.md`` at its end. Give the
same command again to continue after a time limit or a kill; failed or wrong measurements are
repeated. The exit code is 1 if a measurement failed or was wrong, and 3 if some are left after the
time limit. docs/gpu.md explains the figures.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import correctness
import neighbours
import pretraining
import throughput
import torch
from mmengine.registry import DefaultScope
from settings import OutOfTime, Settings
from stage_file import Result, StageFile, is_bad

from slic_mmaction.evaluation.records import code_version

# Modules with `measurements(settings)` (names and functions) and `table(results)`.
STAGES: dict[str, Any] = {
    "correctness": correctness,
    "throughput": throughput,
    "neighbours": neighbours,
    "pretraining": pretraining,
}
# The others' figures do not depend on --data.
ON_VIDEOS = ("throughput", "pretraining")
DONE, FAILED, UNFINISHED = 0, 1, 3


def run_stage(name: str, stage: Any, settings: Settings, folder: Path) -> int:
    """Run the measurements that are not in the stage's file yet, and write the table.

    Returns:
        DONE, FAILED or UNFINISHED.
    """
    file = StageFile(folder, name, settings)
    longest, unfinished, commit = 0.0, False, code_version()
    asked = dict(stage.measurements(settings))
    for label, measure in asked.items():
        if file.is_done(label):
            continue
        # A measurement as long as the longest so far would be cut off.
        unfinished = settings.seconds_left() < longest
        if unfinished:
            break
        start = time.monotonic()
        try:
            result: Result = measure()
        except OutOfTime:
            unfinished = True
            break
        except Exception as error:  # Any failure, such as out of memory, is a result.
            result = dict(failed=f"{type(error).__name__}: {error}")
        took = time.monotonic() - start
        longest = max(longest, took)
        file.add(label, dict(result, took_s=round(took, 2), commit=commit))
        print(f"{name}: {label}: {json.dumps(result)[:200]} ({took:.1f} s)", flush=True)
        if settings.device.type == "cuda":
            gc.collect()
            torch.cuda.empty_cache()
    print(f"{name}: {file.write_table(stage.table(file.results))}", flush=True)
    if unfinished:
        print(f"{name}: the time limit is near, so the rest is left for the same command again.")
        return UNFINISHED
    bad = [label for label in asked if is_bad(file.results[label])]
    if bad:
        print(f"{name}: failed or not as expected: {'; '.join(bad)}")
    return FAILED if bad else DONE


def main(argv: Sequence[str] | None = None) -> int:
    """Run the tool."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stage", nargs="+", choices=tuple(STAGES), default=list(STAGES))
    parser.add_argument("--out", type=Path, required=True, help="folder of the result files")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--small", action="store_true", help="sizes for a trial on a CPU")
    parser.add_argument("--data", type=Path, help="folder with videos and lists, such as ucf101_6")
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
            except ValueError as error:
                parser.error(str(error))
            if codes[-1] == UNFINISHED:
                break
    return max(codes)


if __name__ == "__main__":
    raise SystemExit(main())
