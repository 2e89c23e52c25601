"""Show the effect of clustering on generated videos: ``make demo``, some minutes on two CPU cores.

The videos all look different and have one of nine motions. The same network is trained twice at
the same time: with clusters of videos with similar motion, and without clusters. The result is the
share of new videos for which each network finds a video of the same motion (docs/demo.md).
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
from mmengine.config import Config
from motion_videos import MOTIONS, write_video_set
from rich.console import Console
from rich.table import Table

from slic_mmaction.progress import progress_bar
from slic_mmaction.visualization import read_scalars, retrieval_gallery

ROOT = Path(__file__).parents[2]
WORK = Path("work_dirs/demo")
VIDEOS = WORK / "moving_patches"
# Names of the configs and work directories of the two runs.
CLUSTERING, INSTANCE = "slic", "instance"
EXPECTED_GAIN = 10.0


def config_of(arm: str) -> str:
    return f"configs/demo/{arm}_r3d_motion.py"


def describe_motion() -> None:
    """Compute motion descriptors of the training videos, without labels.

    Raises:
        SystemExit: If it fails; the reason is printed.
    """
    command = ["tools/data/extract_motion.py", f"{VIDEOS}/train.txt", "--video-root", str(VIDEOS)]
    done = subprocess.run([sys.executable, *command, "--out", f"{VIDEOS}/motion.npz"])
    if done.returncode:
        raise SystemExit(1)


def start(arm: str, settings: list[str]) -> subprocess.Popen:
    """Start ``tools/train.py`` with one thread, so that two runs share two cores."""
    work_dir = WORK / arm
    shutil.rmtree(work_dir, ignore_errors=True)
    work_dir.mkdir(parents=True)
    command = ["tools/train.py", config_of(arm), "--work-dir", str(work_dir)]
    settings = [f"val_evaluator.out_file={work_dir}/neighbors.npz", *settings]
    with open(work_dir / "console.log", "wb") as log:
        return subprocess.Popen(
            [sys.executable, *command, "--cfg-options", *settings],
            stdout=log,
            stderr=subprocess.STDOUT,
            env={"OMP_NUM_THREADS": "1", **os.environ},
        )


def scalars(arm: str) -> dict[str, dict[float, float]]:
    """Read the logged scalars of a run by name and epoch."""
    started = any((WORK / arm).glob("*/vis_data/scalars.json"))
    return read_scalars(WORK / arm) if started else {}


def watch(runs: dict[str, subprocess.Popen], epochs: int, console: Console) -> None:
    """Show the common progress of all runs until they end.

    Raises:
        SystemExit: If a run fails; the others are stopped.
    """
    shown = 0
    with progress_bar("Epochs of both networks", len(runs) * epochs) as advance:
        while True:
            running = any([run.poll() is None for run in runs.values()])
            for arm, run in runs.items():
                if run.returncode:
                    for other in runs.values():
                        other.kill()
                    log = WORK / arm / "console.log"
                    tail = "\n".join(log.read_text().splitlines()[-15:])
                    console.print(f"A training failed; {log} ends with\n{tail}", markup=False)
                    raise SystemExit(1)
            reached = sum(int(max(scalars(arm).get("loss", {0: 0}))) for arm in runs)
            for _ in range(reached - shown):
                advance()
            shown = reached
            if not running:
                return
            time.sleep(1)


def draw_gallery(out_path: Path) -> Path:
    """Draw a query of each motion with its five nearest training videos."""
    found = np.load(WORK / CLUSTERING / "neighbors.npz")
    query_labels, gallery_labels = found["query_labels"], found["gallery_labels"]
    _, chosen = np.unique(query_labels, return_index=True)
    nearest = found["indices"][chosen, :5]
    names = list(MOTIONS)
    return retrieval_gallery(
        query_paths=found["query_videos"][chosen],
        neighbor_paths=found["gallery_videos"][nearest],
        hits=gallery_labels[nearest] == query_labels[chosen, None],
        similarities=found["similarities"][chosen, :5],
        out_path=out_path,
        title="With clustering: new videos, and the training videos nearest to them",
        query_names=[names[label] for label in query_labels[chosen]],
        neighbor_names=[[names[gallery_labels[i]] for i in row] for row in nearest],
    )


def show_results(console: Console) -> None:
    """Print a table of the results and one sentence about it."""
    recalls = {arm: list(scalars(arm)["retrieval/R@1"].values()) for arm in (CLUSTERING, INSTANCE)}
    figures = {
        "untrained": recalls[CLUSTERING][0],
        "trained without clustering (p = 1)": recalls[INSTANCE][-1],
        "trained with clustering": recalls[CLUSTERING][-1],
    }
    table = Table(title=f"Same motion found (chance: {100 / len(MOTIONS):.1f})")
    table.add_column("network")
    table.add_column("R@1 (%)", justify="right")
    for network, recall in figures.items():
        table.add_row(network, f"{recall:.1f}")
    console.print(table)
    queries = len((VIDEOS / "test.txt").read_text().splitlines())
    untrained, without, clustering = (round(r * queries / 100) for r in figures.values())
    console.print(
        f"Clustering: {clustering} of {queries} queries find their motion; without: {without}; "
        f"untrained: {untrained}."
    )
    gain = recalls[CLUSTERING][-1] - recalls[INSTANCE][-1]
    if gain < EXPECTED_GAIN:
        console.print(
            f"[yellow]Clustering gained {gain:.1f} points only[/], less than in the runs of "
            "docs/demo.md. Another --seed may show more."
        )


def show_next_steps(console: Console, epochs: int) -> None:
    """Print commands that use the trained network."""
    run = WORK / CLUSTERING
    query = (VIDEOS / "test.txt").read_text().split()[0]
    folder = Path(sys.executable).parent
    folder = folder.relative_to(ROOT) if folder.is_relative_to(ROOT) else folder
    commands = {
        "Search the videos with a clip": [
            f"{folder}/slic index {VIDEOS}/train --with {run} --out {WORK}/index",
            f"{folder}/slic search {VIDEOS}/{query} --in {WORK}/index --top 10",
        ],
        "Store the embeddings of all queries and training videos": [
            f"{folder}/python tools/extract_features.py {config_of(CLUSTERING)} "
            f"{run}/epoch_{epochs}.pth --out {WORK}/features"
        ],
        "Train for longer": [
            f"{folder}/python tools/train.py {config_of(CLUSTERING)} --work-dir {run} --resume "
            f"--cfg-options train_cfg.max_epochs={2 * epochs}"
        ],
    }
    console.print("What to try next:")
    for aim, lines in commands.items():
        text = "\n".join(f"    {line}" for line in lines)
        console.print(f"  {aim}:\n{text}", soft_wrap=True, markup=False, highlight=False)


def main() -> None:
    """Run the demo, and exit with code 1 if a step fails."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="random seed of both runs (default: 0)")
    parser.add_argument(
        "--cfg-options", nargs="+", default=[], metavar="KEY=VALUE", help="settings of both runs"
    )
    args = parser.parse_args()
    console = Console()
    begin = time.time()
    os.chdir(ROOT)

    console.print(f"Making videos: {len(MOTIONS)} motions, and no two videos look alike ...")
    write_video_set(VIDEOS)
    console.print("Describing how each training video moves, without labels ...")
    describe_motion()
    console.print("Training a small R3D with clusters of what moves alike, and one without ...")
    settings = [f"randomness.seed={args.seed}", *args.cfg_options]
    runs = {arm: start(arm, settings) for arm in (INSTANCE, CLUSTERING)}
    epochs = Config.fromfile(config_of(CLUSTERING)).train_cfg.max_epochs
    watch(runs, epochs, console)

    gallery = draw_gallery(WORK / "gallery.png")
    console.print(f"Done in {time.time() - begin:.0f} s. Logs are in {WORK}.")
    console.print(f"New videos, and what the network finds for them: {gallery}")
    show_results(console)
    show_next_steps(console, epochs)


if __name__ == "__main__":
    main()
