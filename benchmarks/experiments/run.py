"""Train and evaluate the arms of an experiment with several seeds.

    python benchmarks/experiments/run.py --arms slic instance --seeds 0 1 2 --epochs 20 \
        --out work_dirs/experiments/main

Every run is a call of ``tools/train.py`` with its own config. The same command resumes killed runs
and keeps finished ones. ``--cut`` evaluates on a part of the training videos instead of the test
videos, for the choice of settings. Then ``report.py`` writes the table and the curves.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
from arms import ARMS, apply_arm, count_clusters
from clusters import GROUP
from evaluate import config_of
from mmengine.config import Config, DictAction

from slic_mmaction.durable_file import write_text
from slic_mmaction.evaluation.linear_probe import validation_cut, video_groups
from slic_mmaction.progress import progress_bar

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
# glibc returns every large block to the system and requests it again, which takes a fifth of the
# slim network's step on a CPU.
KEEP_MEMORY = dict(MALLOC_MMAP_MAX_="0", MALLOC_TRIM_THRESHOLD_=str(1 << 40))


def write_cut(ann_file: Path, share: float, folder: Path) -> tuple[Path, Path]:
    """Hold out a share of the source videos of each class.

    Returns:
        Annotation files in ``folder`` of the training videos and of the held-out videos.
    """
    lines = ann_file.read_text(encoding="utf-8").splitlines()
    videos, labels = zip(*(line.rsplit(maxsplit=1) for line in lines))
    groups = video_groups(videos, GROUP)
    held_out = validation_cut(np.array(labels, dtype=np.int64), groups, share=share, seed=0)
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "cut_train.txt", folder / "cut_val.txt"
    for path, wanted in zip(paths, (False, True)):
        part = [line for line, out in zip(lines, held_out) if out == wanted]
        write_text(path, "\n".join(part) + "\n")
    return paths


def prepare(args: argparse.Namespace, arm: str, seed: int) -> Path:
    """Write the config of a run, and return its folder.

    Raises:
        ValueError: If the folder holds a run of another config.
    """
    cfg = Config.fromfile(args.config)
    apply_arm(cfg, arm)
    cfg.randomness = dict(seed=seed)
    cfg.train_cfg.max_epochs = args.epochs
    cfg.train_dataloader.batch_size //= args.ranks
    if args.load_from:
        cfg.load_from = str(Path(args.load_from.format(seed=seed)).resolve(strict=True))
    cfg.merge_from_dict(args.cfg_options or {})
    dataset = cfg.train_dataloader.dataset.dataset
    if args.cut:
        # Test videos must not choose settings.
        train, validation = write_cut(Path(dataset.ann_file), 0.25, args.out / "cut")
        dataset.ann_file = cfg.evaluation_dataset.gallery.ann_file = str(train)
        cfg.evaluation_dataset.query = dict(dataset, ann_file=str(validation))
    if args.sources < 1:
        train, _ = write_cut(Path(dataset.ann_file), 1 - args.sources, args.out / "sources")
        dataset.ann_file = str(train)
    count_clusters(cfg)
    folder = args.out / arm / f"seed{seed}"
    path = config_of(folder)
    if path.exists():
        before = Config.fromfile(path)
        before.train_cfg.max_epochs = args.epochs
        if before.pretty_text != cfg.pretty_text:
            raise ValueError(f"{folder} holds a run of another config: choose another --out.")
    folder.mkdir(parents=True, exist_ok=True)
    cfg.dump(path)
    return folder


def train_and_evaluate(folder: Path, epochs: int, ranks: int) -> None:
    """Train and evaluate a run, unless it is finished.

    Raises:
        RuntimeError: If a program fails, with the end of its output.
    """
    train = ["tools/train.py", str(config_of(folder)), "--work-dir", str(folder)]
    if (folder / "last_checkpoint").exists():
        train.append("--resume")
    if ranks > 1:
        start = ["-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={ranks}"]
        train = [*start, *train, "--launcher", "pytorch"]
    # Modules that a config imports from here.
    path = os.pathsep.join([str(HERE), *filter(None, [os.environ.get("PYTHONPATH")])])
    steps = [train, ["benchmarks/experiments/evaluate.py", str(folder)]]
    if (folder / f"epoch_{epochs}.pth").exists():
        del steps[0]
    for number, step in enumerate(steps):
        log = folder / f"step{number}.log"
        with open(log, "w", encoding="utf-8") as file:
            done = subprocess.run(
                [sys.executable, *step],
                cwd=ROOT,
                stdout=file,
                stderr=subprocess.STDOUT,
                env={**os.environ, **KEEP_MEMORY, "PYTHONPATH": path},
            )
        if done.returncode:
            tail = log.read_text(encoding="utf-8")[-2000:]
            raise RuntimeError(f"{' '.join(step)} failed ({log}):\n{tail}")


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--config", type=Path, default=HERE / "slim_ucf101.py")
    parser.add_argument("--arms", nargs="+", choices=tuple(ARMS), required=True, metavar="ARM")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--epochs", type=int, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--cut", action="store_true", help="evaluate on held-out training videos")
    parser.add_argument(
        "--sources", type=float, default=1.0, help="share of the source videos for training"
    )
    parser.add_argument("--jobs", type=int, default=1, help="number of parallel runs")
    parser.add_argument("--ranks", type=int, default=1, help="number of ranks of each run")
    parser.add_argument(
        "--load-from", metavar="FILE", help="initial checkpoint; may contain {seed}"
    )
    parser.add_argument("--cfg-options", nargs="+", action=DictAction, metavar="KEY=VALUE")
    args = parser.parse_args()
    args.out = args.out.resolve()
    return args


def main() -> None:
    """Run the tool."""
    args = parse_args()
    cores = os.cpu_count() or 1
    os.environ.setdefault("OMP_NUM_THREADS", str(max(1, cores // args.jobs // args.ranks)))
    # Seeds are the outer loop, so that first results of all arms come early.
    folders = [prepare(args, arm, seed) for seed in args.seeds for arm in args.arms]
    with ThreadPoolExecutor(args.jobs) as pool, progress_bar("runs", len(folders)) as advance:
        for _ in pool.map(lambda it: train_and_evaluate(it, args.epochs, args.ranks), folders):
            advance()


if __name__ == "__main__":
    main()
