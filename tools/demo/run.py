"""SLIC from end to end on made-up videos, in a few minutes on two CPU cores: ``make demo``.

Makes a small set of videos whose classes differ in motion only, trains the same network
with clustering (SLIC) and without (p = 1), side by side, and compares how well each
retrieves videos of the same motion in scenes it has never seen.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from motion_videos import MOTIONS, write_video_set
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from slic_mmaction.visualization import read_scalars, retrieval_gallery, training_curves

ROOT = Path(__file__).parents[2]
WORK = ROOT / "work_dirs" / "demo"
EPOCHS = 70
# The margins of both losses: what they sum to while all embeddings are alike.
COLLAPSED_LOSS = 0.2 + 0.04
EXPECTED_GAIN = 20.0


@dataclass
class Arm:
    """One training run of the demo, in a process of its own."""

    name: str
    config: str
    work_dir: Path
    process: subprocess.Popen

    @property
    def log(self) -> Path:
        return self.work_dir / "console.log"

    def scalars(self) -> dict[str, dict[float, float]]:
        """What the run has logged so far, by name and epoch."""
        newest = max(self.work_dir.glob("*/vis_data/scalars.json"), default=None)
        if newest is None or newest.stat().st_size == 0:
            return {}
        return read_scalars(newest)


def start(name: str, config: str, seed: int) -> Arm:
    """Start ``tools/train.py`` with one thread, so that two runs share two cores."""
    work_dir = WORK / Path(config).stem.split("_")[0]
    work_dir.mkdir(parents=True, exist_ok=True)
    command = ["tools/train.py", config, "--work-dir", str(work_dir.relative_to(ROOT))]
    options = [f"randomness.seed={seed}", f"train_cfg.max_epochs={EPOCHS}"]
    with open(work_dir / "console.log", "wb") as log:
        process = subprocess.Popen(
            [sys.executable, *command, "--cfg-options", *options],
            cwd=ROOT,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=dict(os.environ, OMP_NUM_THREADS="1"),
        )
    return Arm(name, config, work_dir, process)


def watch(arms: list[Arm], console: Console) -> None:
    """Show the progress of all runs until they have ended.

    Raises:
        SystemExit: One of them failed; the others are stopped.
    """
    columns = ("{task.description:>22}", BarColumn(), "epoch {task.completed:>2.0f}/{task.total}")
    with Progress(*columns, TimeRemainingColumn(), TextColumn("{task.fields[state]}")) as progress:
        tasks = [progress.add_task(arm.name, total=EPOCHS, state="") for arm in arms]
        while True:
            running = [arm.process.poll() is None for arm in arms]
            for arm, task in zip(arms, tasks):
                if arm.process.returncode:
                    for other in arms:
                        other.process.kill()
                    tail = "\n".join(arm.log.read_text().splitlines()[-15:])
                    console.print(f"{arm.name} failed; {arm.log} ends with\n{tail}", markup=False)
                    raise SystemExit(1)
                losses = arm.scalars().get("loss")
                if losses:
                    state = f"loss {list(losses.values())[-1]:.3f}"
                    progress.update(task, completed=max(losses), state=state)
            if not any(running):
                return
            time.sleep(1)


def draw_gallery(arm: Arm, out_path: Path, queries_per_motion: int = 1) -> Path:
    """Picture of queries of each motion with their five nearest training videos."""
    found = np.load(arm.work_dir / "neighbors.npz")
    query_labels, gallery_labels = found["query_labels"], found["gallery_labels"]
    chosen = np.concatenate(
        [
            np.flatnonzero(query_labels == label)[:queries_per_motion]
            for label in range(len(MOTIONS))
        ]
    )
    nearest = found["indices"][chosen, :5]
    return retrieval_gallery(
        query_paths=found["query_videos"][chosen],
        neighbor_paths=found["gallery_videos"][nearest],
        hits=gallery_labels[nearest] == query_labels[chosen, None],
        similarities=found["similarities"][chosen, :5],
        out_path=out_path,
        title="SLIC: videos of unseen scenes and the training videos nearest to them",
        query_names=[MOTIONS[label] for label in query_labels[chosen]],
        neighbor_names=[[MOTIONS[gallery_labels[i]] for i in row] for row in nearest],
    )


def main() -> None:
    """Run the demo; exits with 1 if a run fails or collapses."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of both runs (default: 0)")
    seed = parser.parse_args().seed
    console = Console()
    begin = time.time()

    console.print("Making videos of six motions in 17 scenes ...")
    os.chdir(ROOT)
    write_video_set(WORK / "videos")
    console.print("Training the same small R3D with and without clustering (two processes) ...")
    arms = [
        start("without clustering", "configs/demo/instance_r3d_motion.py", seed),
        start("SLIC", "configs/demo/slic_r3d_motion.py", seed),
    ]
    watch(arms, console)

    instance, slic = (arm.scalars() for arm in arms)
    recalls = [list(run["retrieval/R@1"].values()) for run in (instance, slic)]
    table = Table(title="Finding the same motion (chance: 16.7)")
    table.add_column("network")
    table.add_column("R@1 (%)", justify="right")
    table.add_row("untrained", f"{recalls[1][0]:.1f}")
    table.add_row("trained without clustering (p = 1)", f"{recalls[0][-1]:.1f}")
    table.add_row("SLIC", f"{recalls[1][-1]:.1f}")
    console.print(table)

    gallery = draw_gallery(arms[1], WORK / "gallery.png")
    runs = {arm.name: arm.work_dir for arm in arms}
    curves = training_curves(runs, WORK / "curves.png")
    console.print(f"Done in {time.time() - begin:.0f} s. Look at")
    console.print(f"  {gallery.relative_to(ROOT)}  queries and what SLIC finds for them")
    console.print(f"  {curves.relative_to(ROOT)}  losses, clusters and R@1 over the epochs")
    console.print("  work_dirs/demo/slic/  logs, checkpoint and pseudo-labels of the run")

    if list(slic["loss"].values())[-1] > 0.95 * COLLAPSED_LOSS:
        console.print(
            "[bold red]Training collapsed[/]: the loss still is the sum of the margins, so all "
            "embeddings are alike. Try another --seed."
        )
        raise SystemExit(1)
    gain = recalls[1][-1] - recalls[1][0]
    if gain < EXPECTED_GAIN:
        console.print(
            f"[yellow]SLIC gained {gain:.1f} points only[/], less than the {EXPECTED_GAIN:.0f} it "
            "gains with the seeds in docs/demo.md."
        )


if __name__ == "__main__":
    main()
