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


class Watched:
    """A training, and a sample of what its processes use from time to time."""

    def __init__(self, training, work_dir: Path) -> None:
        self.training, self.work_dir = training, work_dir
        self.samples: list[tuple[int, dict[int, dict[str, int]]]] = []

    def iteration(self) -> int:
        """Of the last line of the log."""
        for file in self.work_dir.glob("*/vis_data/scalars.json"):
            lines = file.read_text().splitlines(keepends=True)
            steps = [json.loads(line).get("iter", 0) for line in lines if line.endswith("\n")]
            return max(steps, default=0)
        return 0

    def watch(self, until: int) -> None:
        """Sample until an iteration, or to the end."""
        main = self.training.pid
        while self.iteration() < until and usage(main) is not None:
            workers = Path(f"/proc/{main}/task/{main}/children").read_text().split()
            found = {pid: usage(pid) for pid in (main, *map(int, workers))}
            self.samples.append((self.iteration(), {k: use for k, use in found.items() if use}))
            time.sleep(PERIOD)

    def pids(self) -> set[int]:
        return set().union(*(found for _, found in self.samples))

    def segments_left(self) -> list[str]:
        """torch's names begin with the number of the process that made them."""
        owners = [f"torch_{pid}_" for pid in self.pids()]
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
    whole = Watched(start(config, tmp_path / "whole"), tmp_path / "whole")
    whole.watch(ITERATIONS + 1)
    code, output = whole.training.end()
    assert code == 0 and whole.iteration() == ITERATIONS, output[-3000:]
    clusterings = list((tmp_path / "whole" / "pseudo_labels").glob("*.npz"))
    assert len(clusterings) == ITERATIONS // EPOCH // CLUSTERING
    assert growth(whole.samples, int(WARM_UP * ITERATIONS), ITERATIONS) == []
    assert whole.segments_left() == []

    killed = Watched(start(config, tmp_path / "killed"), tmp_path / "killed")
    killed.watch(15 * EPOCH)
    killed.training.kill()
    assert killed.training.end()[0] == -9 and len(killed.pids()) > WORKERS
    end = time.monotonic() + PATIENCE
    while any(map(usage, killed.pids())):
        assert time.monotonic() < end, "loader workers outlive their killed run"
        time.sleep(PERIOD)
    assert killed.segments_left() == []
