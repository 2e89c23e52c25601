"""Examine the configs of configs/backbones and write the table of docs/backbones.md.

    python tools/analysis/backbone_table.py                      what is new or has changed
    python tools/analysis/backbone_table.py --redo               everything
    python tools/analysis/backbone_table.py slic_c3d_ucf101 --redo

Each config is examined in a process of its own: width, parameters and forward time with its real
settings, then an iteration or two of pretraining with a clustering, and a retrieval with several
clips of each video, on generated videos with the network made small (backbone_overrides.py).
A row is kept while its backbone and clips in the config are what they were; a failed one is tried
again. The rows are in benchmarks/results/backbones.json.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import cv2
import numpy as np
from backbone_overrides import CLIPS, SMALL, USUAL_CLIP
from mmengine.config import Config

from slic_mmaction.backbones.examine import (
    Row,
    config_paths,
    examine,
    fingerprint,
    is_settled,
)
from slic_mmaction.backbones.table import (
    put_between_markers,
    read_rows,
    to_markdown,
    write_rows,
)
from slic_mmaction.durable_file import write_text
from slic_mmaction.preparation.progress import progress_bar

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs" / "backbones"
ROWS = ROOT / "benchmarks" / "results" / "backbones.json"
PAGE = ROOT / "docs" / "backbones.md"
SIDE = 64
LENGTHS = {"train": (6, 20, 24, 28, 32, 36, 40, 44), "test": (16, 30, 48)}


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="only these configs, such as slic_c3d_ucf101")
    parser.add_argument("--redo", action="store_true", help="examine what has a row, too")
    return parser.parse_args(argv)


def write_videos(root: Path) -> None:
    """Write a few short videos of a moving blob, and their annotation files."""
    for split, lengths in LENGTHS.items():
        lines = []
        for number, length in enumerate(lengths):
            name = f"{split}_{number}.mp4"
            size = (SIDE, SIDE)
            writer = cv2.VideoWriter(str(root / name), cv2.VideoWriter.fourcc(*"mp4v"), 25, size)
            if not writer.isOpened():
                raise OSError(f"OpenCV cannot write {root / name}: it has no mp4v encoder.")
            rng = np.random.default_rng([len(lengths), number])
            ground = cv2.resize(rng.integers(0, 256, (4, 4, 3), dtype=np.uint8), size)
            step = rng.uniform(-3, 3, 2)
            for t in range(length):
                x, y = (SIDE / 2 + t * step) % SIDE
                writer.write(cv2.circle(ground.copy(), (int(x), int(y)), 9, (255, 255, 255), -1))
            writer.release()
            lines.append(f"{name} {number % 2}\n")
        (root / f"{split}.txt").write_text("".join(lines))


def examine_apart(path: Path, videos: Path) -> Row:
    """:func:`examine` in a process of its own, whose death is a row as well."""
    small, clip = SMALL.get(path.stem, {}), CLIPS.get(path.stem, USUAL_CLIP)
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, mp_context=context) as process:
        try:
            return process.submit(examine, path, small, clip, videos).result()
        except BrokenProcessPool:
            cfg = Config.fromfile(path)
            died = dict(figures="the process died: out of memory?")
            return Row(path.stem, cfg.model.backbone.type, fingerprint(cfg), problems=died)


def outcome(row: Row) -> str:
    """A row in a word or a sentence."""
    if row.missing:
        return f"needs {row.missing}"
    return "; ".join(f"{stage}: {said}" for stage, said in row.problems.items()) or "verified"


def save(rows: dict[str, Row]) -> None:
    """Write rows and page."""
    kept = [rows[name] for name in config_paths(CONFIGS) if name in rows]
    write_rows(ROWS, kept)
    write_text(PAGE, put_between_markers(PAGE.read_text(encoding="utf-8"), to_markdown(kept)))


def run(args: argparse.Namespace) -> None:
    """Examine and write.

    Raises:
        ValueError: If there is no config of a name, or the page has no markers.
    """
    paths = config_paths(CONFIGS)
    unknown = [name for name in args.names if name not in paths]
    if unknown:
        raise ValueError(f"There is no config {unknown[0]}: choose among {', '.join(paths)}.")
    rows = {row.config: row for row in read_rows(ROWS)}
    wanted = [
        name
        for name in args.names or paths
        if args.redo or name not in rows or not is_settled(rows[name], Config.fromfile(paths[name]))
    ]
    with tempfile.TemporaryDirectory() as folder, progress_bar("configs", len(wanted)) as done:
        write_videos(Path(folder))
        for name in wanted:
            rows[name] = examine_apart(paths[name], Path(folder))
            save(rows)
            print(f"{name}: {outcome(rows[name])}")
            done()
    save(rows)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool; exits with 2 and one sentence if an input cannot be used."""
    # Before a process of its own begins: it reads this when it loads torch.
    os.environ["OMP_NUM_THREADS"] = "1"
    try:
        run(parse_args(argv))
    except (OSError, ValueError) as error:
        print(f"{Path(__file__).name}: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
