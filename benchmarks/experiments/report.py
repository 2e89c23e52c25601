"""Collect the runs of ``run.py``: a table with spread, curves, and all figures as JSON.

    python benchmarks/experiments/report.py work_dirs/experiments/main \
        --out benchmarks/results/experiments_main

This writes ``OUT.json``, ``OUT.md`` and ``OUT.png``. Unfinished runs are included up to their last
epoch. ``--earlier OUT.json`` adds runs of an earlier report whose folders no longer exist.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from arms import ARMS
from clusters import describe_clusterings
from evaluate import RESULT, config_of
from matplotlib.figure import Figure
from mmengine.config import Config

from slic_mmaction.durable_file import write_text
from slic_mmaction.visualization.figure_file import save_figure

KEYS = ("R@1", "mAP", "kNN")
FEATURES = ("backbone", "projection")
TWENTY = matplotlib.colormaps["tab20"]
JOINED = {
    "same_source": "pairs of a cluster from the same source video",
    "right_beyond": "other pairs of a cluster: of the same class",
    "found_beyond": "pairs of a class from two sources: in one cluster",
}


def collect(folder: Path) -> dict[str, dict[str, Any]]:
    """Read the figures and clusterings by arm and seed.

    Raises:
        FileNotFoundError: If there is no evaluated run.
    """
    runs: dict[str, dict[str, Any]] = {}
    for path in sorted(folder.glob(f"*/seed*/{RESULT}")):
        run = path.parent
        cfg = Config.fromfile(config_of(run))
        prefix = cfg.train_dataloader.dataset.dataset.data_prefix.video
        lines = Path(cfg.evaluation_dataset.gallery.ann_file).read_text("utf-8").splitlines()
        pairs = (line.rsplit(maxsplit=1) for line in lines)
        classes = {f"{prefix}/{video}": int(label) for video, label in pairs}
        seeds = runs.setdefault(run.parent.name, {})
        seeds[run.name.replace("seed", "")] = dict(
            figures=json.loads(path.read_text("utf-8")),
            clusterings=describe_clusterings(run, classes),
        )
    if not runs:
        raise FileNotFoundError(f"{folder} holds no evaluated run: start runs with run.py.")
    return runs


def joined(
    runs: dict[str, dict[str, Any]], earlier: dict[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Merge runs with those of an earlier report in the order of arms; new runs take precedence."""
    both = {
        arm: {**earlier.get(arm, {}), **runs.get(arm, {})}
        for arm in ARMS
        if arm in {**earlier, **runs}
    }
    return {arm: dict(sorted(seeds.items())) for arm, seeds in both.items()}


def figures_of(runs: dict[str, dict[str, Any]]) -> list[tuple[str, str]]:
    """Return the (feature, key) of figures that all runs have; early reports have no mAP."""
    rows = [row for seeds in runs.values() for run in seeds.values() for row in run["figures"]]
    keys = [key for key in KEYS if all(key in row for row in rows)]
    return [(feature, key) for key in keys for feature in FEATURES]


def curve(
    seeds: Iterable[dict[str, Any]], kind: str, key: str, feature: str | None = None
) -> dict[int, np.ndarray]:
    """Return the values of all seeds at each epoch that all seeds have."""
    found: dict[int, list[float]] = {}
    seeds = list(seeds)
    for seed in seeds:
        for row in seed[kind]:
            if feature is None or row["feature"] == feature:
                found.setdefault(row["epoch"], []).append(row[key])
    return {e: np.array(v) for e, v in sorted(found.items()) if len(v) == len(seeds)}


def table(runs: dict[str, dict[str, Any]], epoch: int) -> list[str]:
    """Format a Markdown table of mean and standard deviation over seeds, in percent."""
    figures = figures_of(runs)
    head = [f"{key}, {feature}" for feature, key in figures]
    lines = [f"| arm | epochs | seeds | {' | '.join(head)} |", "|---" * (3 + len(head)) + "|"]
    for arm, when in [("untrained", 0), *((arm, epoch) for arm in runs)]:
        # The untrained networks of a seed are the same in every arm.
        seeds = runs[arm] if when else max(runs.values(), key=len)
        cells = []
        for feature, key in figures:
            values = curve(seeds.values(), "figures", key, feature).get(when)
            cells.append("" if values is None else _spread(values))
        lines.append(f"| {arm} | {when} | {len(seeds)} | {' | '.join(cells)} |")
    return lines


def differences(runs: dict[str, dict[str, Any]], epoch: int, against: str) -> list[str]:
    """Format a Markdown table of the differences from another arm with the same seeds."""
    figures = figures_of(runs)
    head = [f"{key}, {feature}" for feature, key in figures]
    lines = [f"| less {against} | seeds | {' | '.join(head)} |", "|---" * (2 + len(head)) + "|"]
    for arm, seeds in runs.items():
        common = sorted(seeds.keys() & runs[against].keys())
        if arm == against or not common:
            continue
        cells = []
        for feature, key in figures:
            ours, theirs = (
                curve([runs[name][seed] for seed in common], "figures", key, feature).get(epoch)
                for name in (arm, against)
            )
            cells.append("" if ours is None or theirs is None else _spread(ours - theirs))
        lines.append(f"| {arm} | {len(common)} | {' | '.join(cells)} |")
    return lines


def _spread(values: np.ndarray) -> str:
    if len(values) == 1:
        return f"{values[0]:.1f}"
    return f"{values.mean():.1f} ± {values.std(ddof=1):.1f}"


def draw(runs: dict[str, dict[str, Any]], path: Path) -> None:
    """Draw curves over epochs: the mean of the seeds, and a band from lowest to highest."""
    figure = Figure(figsize=(15, 12), layout="constrained")
    axes = figure.subplots(3, 3)
    # A column for each key, and a row for each feature.
    shown = dict(zip(figures_of(runs), axes[:2].T.flat))
    panels = [(axis, "figures", key, feature) for (feature, key), axis in shown.items()]
    for axis in axes[:2].T.flat[len(shown) :]:
        axis.remove()
    clusters = [(axis, "clusterings", key, None) for axis, key in zip(axes[2], JOINED)]
    for axis, kind, key, feature in [*panels, *clusters]:
        for number, (arm, seeds) in enumerate(runs.items()):
            values = curve(seeds.values(), kind, key, feature)
            if not values:
                continue
            epochs, color = list(values), f"C{number}" if len(runs) <= 10 else TWENTY(number % 20)
            # Labels that never change are a single clustering, which has no line.
            marker = "o" if len(epochs) == 1 else ""
            means = [v.mean() for v in values.values()]
            style = dict(color=color, marker=marker, linestyle="--" if number >= 20 else "-")
            axis.plot(epochs, means, label=arm, **style)
            low, high = ([f(v) for v in values.values()] for f in (np.min, np.max))
            axis.fill_between(epochs, low, high, color=color, alpha=0.15, lw=0)
        axis.set_title(f"{key} (%), {feature}" if feature else JOINED[key])
        axis.set_xlabel("epochs")
        axis.grid(alpha=0.3)
    handles, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(8, len(labels)))
    save_figure(figure, path)


def main() -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="path of the report without suffix")
    parser.add_argument(
        "--epoch", type=int, help="epoch of the table; default: largest of all runs"
    )
    parser.add_argument("--against", metavar="ARM", help="arm to show the differences from")
    parser.add_argument("--earlier", type=Path, help="JSON of an earlier report to extend")
    args = parser.parse_args()
    earlier = json.loads(args.earlier.read_text("utf-8")) if args.earlier else {}
    runs = joined(collect(args.folder), earlier)
    every = [row["epoch"] for arm in runs.values() for s in arm.values() for row in s["figures"]]
    epoch = args.epoch or max(every)
    lines = table(runs, epoch)
    if args.against:
        lines += ["", *differences(runs, epoch, args.against)]
    print("\n".join(lines))
    write_text(args.out.with_suffix(".json"), json.dumps(runs, indent=1))
    write_text(args.out.with_suffix(".md"), "\n".join(lines) + "\n")
    draw(runs, args.out.with_suffix(".png"))


if __name__ == "__main__":
    main()
