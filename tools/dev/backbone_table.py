"""Measure the configs of configs/backbones and write the table of docs/backbones.md.

    python tools/dev/backbone_table.py                      new and changed configs
    python tools/dev/backbone_table.py --redo               all configs
    python tools/dev/backbone_table.py slic_c3d_ucf101 --redo

Width, parameters and forward time are measured with the real settings of a config. Then a small
version of the network is trained for two iterations with a clustering, and evaluated by retrieval
with three clips of each video, on generated videos (backbone_trial.py).
A row is kept until its backbone or clips change in the config. Failed rows are tried again. The
rows are stored in benchmarks/results/backbones.json.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import platform
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from backbone_trial import missing_package, small_run, try_pretraining, try_retrieval
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope

from slic_mmaction.durable_file import write_text
from slic_mmaction.evaluation.records import code_version
from slic_mmaction.progress import progress_bar

# isort: split
# After slic_mmaction, which repairs the import of mmaction.
from mmaction.registry import MODELS

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs" / "backbones"
ROWS = ROOT / "benchmarks" / "results" / "backbones.json"
PAGE = ROOT / "docs" / "backbones.md"
BEGIN = "<!-- backbone table: begin, written by tools/dev/backbone_table.py -->"
END = "<!-- backbone table: end -->"
HEAD = ["family", "backbone", "width", "parameters", "clip", "forward, CPU", "verified"]
Row = dict[str, Any]


def config_paths() -> dict[str, Path]:
    """Return the configs of the table by name, without those of narrower networks."""
    paths = sorted(CONFIGS.glob("slic_*_ucf101.py"))
    return {path.stem: path for path in paths if "_slim_" not in path.stem}


def pseudo_label_hook(cfg: Config) -> dict[str, Any]:
    """Return the config of the PseudoLabelHook."""
    return next(hook for hook in cfg.custom_hooks if hook["type"] == "PseudoLabelHook")


def identity(cfg: Config) -> Row:
    """Return the type of the backbone, and eight digits of a hash of the network and its clips."""
    model = cfg.model.to_dict()
    seen = [model["backbone"], model.get("neck"), pseudo_label_hook(cfg)["pipeline"]]
    digest = hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()
    return dict(backbone=cfg.model.backbone.type, fingerprint=digest[:8])


def is_current(row: Row, cfg: Config) -> bool:
    """Return whether a row is up to date, so that the config need not be measured again."""
    same = row.items() >= identity(cfg).items()
    # Keep figures of a machine that had the package.
    installed = row["missing"] is not None and missing_package(row["backbone"]) is None
    return same and not row["problems"] and not installed


def measure(cfg: Config, video: Path) -> Row:
    """Measure the width, size and speed of a config's backbone with random weights."""
    init_default_scope("mmaction")
    recognizer = MODELS.build(cfg.model)
    pipeline = Compose(pseudo_label_hook(cfg)["pipeline"])
    sample = pipeline(dict(filename=str(video), label=0, start_index=0, modality="RGB"))
    clip = recognizer.data_preprocessor(pseudo_collate([sample]))["inputs"]
    recognizer.eval()
    seconds = []
    with torch.no_grad():
        for _ in range(4):
            start = time.process_time()
            recognizer.extract_feat(clip, stage="backbone")
            seconds.append(time.process_time() - start)
    # (1, views, C, T, H, W), or (1, frames, C, H, W) for a 2D network.
    frames, pixels = (clip.shape[3], clip.shape[4]) if clip.ndim == 6 else clip.shape[1:4:2]
    return dict(
        width=recognizer.cls_head.in_channels,
        parameters=sum(parameter.numel() for parameter in recognizer.backbone.parameters()),
        frames=frames,
        pixels=pixels,
        forward_seconds=statistics.median(seconds[1:]),
    )


def examine(path: Path, videos: Path) -> Row:
    """Measure a config with one thread, train it, and return its row; failures are ``problems``."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    cfg = Config.fromfile(path)
    names = Path("/proc/cpuinfo")
    processor = re.search(r"model name\s*: (.+)", names.read_text()) if names.is_file() else None
    row = dict(
        identity(cfg),
        config=path.stem,
        **dict.fromkeys(("width", "parameters", "frames", "pixels", "forward_seconds")),
        losses=[],
        retrieval={},
        missing=missing_package(cfg.model.backbone.type),
        problems={},
        date=datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        commit=code_version(),
        torch=torch.__version__,
        machine=processor[1] if processor else platform.machine(),
    )
    family = path.stem.removeprefix("slic_").removesuffix("_ucf101")
    with tempfile.TemporaryDirectory() as folder:
        small = small_run(Config.fromfile(path), family, videos, Path(folder) / path.stem)
        # Each step needs the result of the previous one.
        stages: dict[str, Callable[[], Row]] = dict(
            figures=lambda: measure(cfg, videos / "train_1.mp4"),
            pretraining=lambda: dict(losses=try_pretraining(small)),
            retrieval=lambda: dict(retrieval=try_retrieval(small)),
        )
        for stage, work in {} if row["missing"] else stages.items():
            try:
                row.update(work())
            except Exception as error:  # Any failure is the result of this row.
                row["problems"][stage] = f"{type(error).__name__}: {' '.join(str(error).split())}"
                break
    return row


def cells(row: Row) -> list[str]:
    """Format a row of the table, with problems in place of missing results."""
    problems = {stage: f"no: {said:.157}" for stage, said in row["problems"].items()}
    family = row["config"].removeprefix("slic_").removesuffix("_ucf101")
    config = f"[{family}](../configs/backbones/{row['config']}.py)"
    if row["width"] is None:
        reason = f"needs {row['missing']}" if row["missing"] else problems["figures"]
        found = [*"----", reason]
    else:
        found = [str(row["width"]), f"{row['parameters'] / 1e6:.1f} M"]
        found += [f"{row['frames']}x{row['pixels']}", f"{row['forward_seconds']:.2f} s"]
        done = row["losses"] and row["retrieval"]
        found.append("yes" if done else next(iter(problems.values()), "-"))
    # A vertical bar would end a cell.
    return [text.replace("|", "\\|") for text in (config, f"`{row['backbone']}`", *found)]


def to_markdown(rows: Sequence[Row]) -> str:
    """Format the table, and a line on the origin of its numbers."""
    lines = [HEAD, ["---", "---", "--:", "--:", "---", "--:", "---"], *map(cells, rows)]
    table = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    sources = {(row["date"], row["torch"], row["machine"]) for row in rows}
    said = (
        f"{date}, torch {torch_}, one thread of {machine}"
        for date, torch_, machine in sorted(sources)
    )
    return f"{table}\n\nMeasured: {'; '.join(said)}.\n"


def put_between_markers(page: str, table: str) -> str:
    """Replace the text between :data:`BEGIN` and :data:`END` in a page.

    Raises:
        ValueError: If the page lacks these markers.
    """
    before, begin, rest = page.partition(BEGIN + "\n")
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"The page has no place for the table: put {BEGIN} and {END} into it.")
    return f"{before}{begin}\n{table}\n{end}{after}"


def write_videos(root: Path) -> None:
    """Write a few short videos of noise, and their annotation files."""
    rng = np.random.default_rng(0)
    for split, lengths in (("train", (6, *range(20, 48, 4))), ("test", (16, 30, 48))):
        names = [f"{split}_{number}.mp4" for number in range(len(lengths))]
        for name, length in zip(names, lengths):
            fourcc = cv2.VideoWriter.fourcc(*"mp4v")
            writer = cv2.VideoWriter(str(root / name), fourcc, 25, (64, 64))
            for frame in rng.integers(0, 256, (length, 64, 64, 3), dtype=np.uint8):
                writer.write(frame)
            writer.release()
        lines = [f"{name} {number % 2}\n" for number, name in enumerate(names)]
        (root / f"{split}.txt").write_text("".join(lines))


def run(names: Sequence[str], redo: bool) -> None:
    """Measure configs, and write the page and the rows after each.

    Raises:
        ValueError: If there is no config of this name, or the page has no markers.
    """
    paths = config_paths()
    if unknown := [name for name in names if name not in paths]:
        raise ValueError(f"There is no config {unknown[0]}: choose among {', '.join(paths)}.")
    rows = {row["config"]: row for row in (json.loads(ROWS.read_text()) if ROWS.exists() else [])}
    wanted = [
        name
        for name in names or paths
        if redo or name not in rows or not is_current(rows[name], Config.fromfile(paths[name]))
    ]

    def save() -> None:
        kept = [rows[name] for name in paths if name in rows]
        page = put_between_markers(PAGE.read_text(encoding="utf-8"), to_markdown(kept))
        write_text(ROWS, json.dumps(kept, indent=1) + "\n")
        write_text(PAGE, page)

    bar = progress_bar("configs", len(wanted))
    with tempfile.TemporaryDirectory() as folder, bar as advance:
        write_videos(Path(folder))
        for name in wanted:
            rows[name] = examine(paths[name], Path(folder))
            save()
            print(" | ".join(cells(rows[name])))
            advance()
    save()


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool. On bad input, print one sentence and exit with code 2."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", help="only these configs, such as slic_c3d_ucf101")
    parser.add_argument("--redo", action="store_true", help="also measure configs that have a row")
    args = parser.parse_args(argv)
    try:
        run(args.names, args.redo)
    except (OSError, ValueError) as error:
        print(f"{Path(__file__).name}: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
