"""A long training must not grow: memory, open files, shared memory; a killed one leaves nothing.

    SLIC_FAULTS=full SLIC_SOAK=2000 python -m pytest -n 0 tests/faults/test_soak.py

Four loader workers, a clustering every 50 iterations, the smallest network. Linux only.
"""

from __future__ import annotations

import json
import os
import statistics
import time
from collections import defaultdict
from pathlib import Path

import pytest

pytestmark = pytest.mark.faults

ITERATIONS = int(os.environ.get("SLIC_SOAK", 300))
BATCH, WORKERS, EPOCH = 4, 4, 2
CLUSTERING = 25  # epochs
WARM_UP = 0.2  # of all iterations
PERIOD = 0.2  # seconds between samples
PATIENCE = 600  # seconds: a last resort only
SHARED = Path("/dev/shm")


def usage(pid: int) -> dict[str, int] | None:
    """Bytes in memory, open files, and mapped shared-memory segments; None if it has ended."""
    process = Path(f"/proc/{pid}")
    try:
        pages = int((process / "statm").read_text().split()[1])
        mapped = (process / "maps").read_text().splitlines()
        files = len(os.listdir(process / "fd")) if pages else 0
    except (FileNotFoundError, ProcessLookupError):
        return None
    segments = {line.split()[4] for line in mapped if str(SHARED) in line}
    memory = pages * os.sysconf("SC_PAGE_SIZE")
    return dict(memory=memory, files=files, segments=len(segments)) if pages else None


def iteration(work_dir: Path) -> int:
    """Of the last line of the log."""
    for file in work_dir.glob("*/vis_data/scalars.json"):
        lines = file.read_text().splitlines(keepends=True)
        return max((json.loads(x).get("iter", 0) for x in lines if x.endswith("\n")), default=0)
    return 0


def watch(training, work_dir: Path, until: int) -> list[tuple[int, dict[int, dict[str, int]]]]:
    """Samples, until an iteration or to the end: the iteration, and what each process uses."""
    main, samples = training.pid, []
    while iteration(work_dir) < until and usage(main) is not None:
        workers = Path(f"/proc/{main}/task/{main}/children").read_text().split()
        found = {pid: usage(pid) for pid in (main, *map(int, workers))}
        samples.append((iteration(work_dir), {k: use for k, use in found.items() if use}))
        time.sleep(PERIOD)
    return samples


def segments_left(samples) -> list[str]:
    """torch's names begin with the number of the process that made them."""
    owners = {f"torch_{pid}_" for _, found in samples for pid in found}
    return [name for name in os.listdir(SHARED) if name.startswith(tuple(owners))]


def growth(samples, begin: int, end: int) -> list[str]:
    """What grew, of processes that lived from one iteration to another.

    Memory by the medians of ten parts of the time, which leave out single moments, as while videos
    are embedded; files and segments by the lowest of each half: batches on their way come and go.
    """
    kept = [found for iteration, found in samples if begin <= iteration < end]
    series = defaultdict(list)
    for found in kept:
        for pid, use in found.items():
            for name, value in use.items():
                series[pid, name].append(value)
    whole = {key: values for key, values in series.items() if len(values) == len(kept)}
    assert len(whole) == 3 * (1 + WORKERS)
    said = []
    for (pid, name), values in whole.items():
        if name == "memory":
            tenth = len(values) / 10
            parts = [values[int(i * tenth) : int((i + 1) * tenth)] for i in range(10)]
            levels = [statistics.median(part) for part in parts]
            grew = max(levels) > 1.05 * min(levels)
        else:
            half = len(values) // 2
            levels = [min(values[:half]), min(values[half:])]
            grew = levels[1] - levels[0] > 3 * BATCH
        if grew:
            said.append(f"{name} of {pid}: {levels}")
    return said


@pytest.mark.parametrize("leak", [{}, dict(memory=1e6), dict(files=0.5), dict(segments=0.5)])
def test_a_leak_is_noticed_and_peaks_are_none(leak: dict[str, float]) -> None:
    flat = dict(memory=5e8, files=30, segments=20)
    peak = dict(memory=1.2e7, files=12, segments=12)
    leaking = [{k: flat[k] + i % 3 * peak[k] + i * leak.get(k, 0) for k in flat} for i in range(99)]
    others = {pid: flat for pid in range(1, 1 + WORKERS)}
    samples = [(i, {0: use, **others}) for i, use in enumerate(leaking)]
    assert [said.partition(":")[0] for said in growth(samples, 20, 99)] == [
        f"{name} of 0" for name in leak
    ]


@pytest.mark.faults(full=True)
def test_soak(start, fault_config, tmp_path: Path) -> None:
    workers = dict(num_workers=WORKERS, persistent_workers=True, batch_size=BATCH)
    config = fault_config(
        train_cfg__max_epochs=ITERATIONS // EPOCH,
        val_cfg=None, val_dataloader=None, val_evaluator=None,
        custom_hooks__0__interval=CLUSTERING,
        custom_hooks__0__num_workers=WORKERS,
        default_hooks__checkpoint=dict(interval=5, max_keep_ckpts=2, save_best=None),
        **{f"train_dataloader__{name}": value for name, value in workers.items()},
    )  # fmt: skip
    work_dir = tmp_path / "whole"
    training = start(config, work_dir)
    samples = watch(training, work_dir, until=ITERATIONS + 1)
    code, output = training.end()
    assert code == 0 and iteration(work_dir) == ITERATIONS, output[-3000:]
    clusterings = list((work_dir / "pseudo_labels").glob("*.npz"))
    assert len(clusterings) == ITERATIONS // EPOCH // CLUSTERING
    assert growth(samples, int(WARM_UP * ITERATIONS), ITERATIONS) == []
    assert segments_left(samples) == []

    training = start(config, tmp_path / "killed")
    samples = watch(training, tmp_path / "killed", until=15 * EPOCH)
    training.kill()
    assert training.end()[0] == -9
    left = {pid for _, found in samples for pid in found}
    assert len(left) > WORKERS
    end = time.monotonic() + PATIENCE
    while any(map(usage, left)):
        assert time.monotonic() < end, "loader workers outlive their killed run"
        time.sleep(PERIOD)
    assert segments_left(samples) == []
