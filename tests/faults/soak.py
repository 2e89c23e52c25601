"""A long training that must not grow: memory, open files, shared memory; then one that is killed.

    python tests/faults/soak.py                        # 2,000 iterations
    python tests/faults/soak.py --iterations 200 --out /tmp/soak

Four loader workers, clustering every 50 iterations, the smallest network. Linux only. It runs in
a mount name space with a /dev/shm of its own, so that nothing else on the machine is counted. It
ends with 1 if something grew or was left behind.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from mmengine.config import Config
from process_samples import descendants, segments_left, usage
from soak_report import base_levels, complaints, draw, long_lived, medians

ROOT = Path(__file__).parents[2]
INSIDE = "SLIC_SOAK_INSIDE"
VIDEOS, BATCH, WORKERS = 40, 4, 4
EPOCH = VIDEOS // BATCH
CLUSTERING = 50  # iterations
WARM_UP = 0.2  # of all iterations
PERIOD = 0.5  # seconds
PATIENCE = 120  # seconds for workers to notice that their parent is gone


def own_shared_memory() -> None:
    """Start again where /dev/shm is empty and ours alone."""
    if os.environ.get(INSIDE):
        return
    os.environ[INSIDE] = "1"
    script = 'mount -t tmpfs tmpfs /dev/shm && exec "$@"'
    command = ["unshare", "--mount", "--user", "--map-root-user", "sh", "-c", script, "sh"]
    os.execvp(command[0], [*command, sys.executable, *sys.argv])


def write_videos(folder: Path) -> None:
    """Moving blobs of many colours."""
    rng = np.random.default_rng(0)
    lines = []
    for number in range(VIDEOS):
        name = f"{number}.mp4"
        writer = cv2.VideoWriter(str(folder / name), cv2.VideoWriter.fourcc(*"mp4v"), 25, (40, 32))
        colour, step = rng.integers(0, 256, 3).tolist(), rng.uniform(-2, 2, 2)
        for t in range(16):
            x, y = (np.array([20, 16]) + step * t).astype(int).tolist()
            writer.write(cv2.circle(np.zeros((32, 40, 3), np.uint8), (x, y), 6, colour, -1))
        writer.release()
        lines.append(f"{name} {number % 4}")
    (folder / "train.txt").write_text("\n".join(lines) + "\n")


def write_config(folder: Path, iterations: int) -> Path:
    """The tests' tiny config with persistent workers."""
    cfg = Config.fromfile(ROOT / "tests" / "data" / "tiny_slic.py")
    dataset = cfg.train_dataloader.dataset.dataset
    dataset.ann_file, dataset.data_prefix = str(folder / "train.txt"), dict(video=str(folder))
    workers = dict(num_workers=WORKERS, persistent_workers=True)
    cfg.train_dataloader.update(workers, batch_size=BATCH)
    cfg.train_cfg = dict(by_epoch=True, max_epochs=iterations // EPOCH)
    for name in ("val", "test"):
        cfg[f"{name}_dataloader"] = cfg[f"{name}_evaluator"] = cfg[f"{name}_cfg"] = None
    cfg.custom_hooks[0].update(interval=CLUSTERING // EPOCH, num_workers=WORKERS)
    cfg.default_hooks.logger.interval = EPOCH
    cfg.default_hooks.checkpoint.update(interval=10, max_keep_ckpts=2)
    cfg.dump(str(folder / "config.py"))
    return folder / "config.py"


class Training:
    """``tools/train.py`` in a process, watched."""

    def __init__(self, config: Path, work_dir: Path) -> None:
        self.work_dir, self.samples = work_dir, []
        with open(f"{work_dir}.log", "wb") as log:
            command = [sys.executable, str(ROOT / "tools" / "train.py"), str(config)]
            self.process = subprocess.Popen(
                [*command, "--work-dir", str(work_dir)],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=dict(os.environ, OMP_NUM_THREADS="1", PYTHONPATH=str(ROOT)),
            )
        self.known: set[int] = set()

    def iteration(self) -> int:
        """Of the last line of the log."""
        for file in self.work_dir.glob("*/vis_data/scalars.json"):
            steps = [json.loads(line).get("iter", 0) for line in file.read_text().splitlines()[-9:]]
            return max(steps, default=0)
        return 0

    def watch(self, until: Callable[[], bool]) -> None:
        """Sample until it ends, or until something."""
        begin = time.monotonic()
        while self.process.poll() is None and not until():
            found = {pid: usage(pid) for pid in descendants(self.process.pid)}
            self.known |= set(found)
            processes = {str(pid): use._asdict() for pid, use in found.items() if use}
            seconds = round(time.monotonic() - begin, 1)
            self.samples.append(
                dict(seconds=seconds, iteration=self.iteration(), processes=processes)
            )
            time.sleep(PERIOD)

    def wait_for_children(self) -> list[int]:
        """Those that are still there after their parent has been gone for long."""
        end = time.monotonic() + PATIENCE
        left = sorted(self.known)
        while left and time.monotonic() < end:
            time.sleep(PERIOD)
            left = [pid for pid in left if Path(f"/proc/{pid}/statm").exists() and usage(pid)]
        return left


def soak(config: Path, folder: Path, iterations: int) -> tuple[dict[str, Any], list[dict]]:
    """Train to the end."""
    training = Training(config, folder / "whole")
    training.watch(lambda: False)
    series = long_lived(training.samples, int(WARM_UP * iterations), iterations)
    main = str(training.process.pid)
    names = {pid: "main" if pid == main else f"worker {i}" for i, pid in enumerate(series)}
    figures = {
        names[pid]: dict(
            rss_mb=[round(rss / 1e6, 1) for rss in medians(s["rss"])],
            files=base_levels(s["files"]),
            segments=base_levels(s["segments"]),
        )
        for pid, s in series.items()
    }
    outcome = dict(
        exit_code=training.process.returncode,
        iterations=training.iteration(),
        clusterings=len(list((folder / "whole" / "pseudo_labels").glob("*.npz"))),
        minutes=round(training.samples[-1]["seconds"] / 60, 1),
        samples=len(training.samples),
        processes=figures,
        segments_left=segments_left(),
    )
    return dict(outcome, names=names), training.samples


def kill(config: Path, folder: Path) -> dict[str, Any]:
    """Train for some epochs, then ``kill -9``."""
    training = Training(config, folder / "killed")
    training.watch(lambda: training.iteration() >= 3 * EPOCH)
    at = training.iteration()
    training.process.send_signal(signal.SIGKILL)
    training.process.wait()
    begin = time.monotonic()
    left = training.wait_for_children()
    return dict(
        at_iteration=at,
        processes_left=left,
        seconds_until_workers_ended=round(time.monotonic() - begin),
        segments_left=segments_left(),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--iterations", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results")
    args = parser.parse_args()
    own_shared_memory()
    args.out.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="soak-"))
    try:
        write_videos(folder)
        config = write_config(folder, args.iterations)
        whole, samples = soak(config, folder, args.iterations)
        draw(samples, whole.pop("names"), args.out / "soak.png")
        result = dict(whole=whole, killed=kill(config, folder))
        if whole["exit_code"] != 0:
            print((folder / "whole.log").read_text()[-3000:])
    finally:
        shutil.rmtree(folder)
    # The last line of the log may be one epoch old when the process ends.
    wrong = complaints(result, args.iterations - EPOCH, 1 + WORKERS, in_flight=3 * BATCH)
    settings = dict(workers=WORKERS, batch=BATCH, clustering_every=CLUSTERING)
    text = json.dumps(dict(settings=settings, **result, complaints=wrong), indent=1)
    (args.out / "soak.json").write_text(text + "\n")
    print(text)
    raise SystemExit(1 if wrong else 0)


if __name__ == "__main__":
    main()
