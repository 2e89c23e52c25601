"""Cluster the rows of a ``.npy`` file and print the quality and sizes of the clusters.

    python tools/analysis/cluster_embeddings.py embeddings.npy
    python tools/analysis/cluster_embeddings.py embeddings.npy --method kmeans --num-clusters 1000
    python tools/analysis/cluster_embeddings.py embeddings.npy --labels classes.npy \
        --out clusters.npy --histogram sizes.png

The file is memory-mapped. Labels are written as int64 ``.npy``, -1 for noise.
"""

from __future__ import annotations

import argparse
import inspect
import math
import os
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from mmengine.config import DictAction
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from slic_mmaction.clustering.quality import (
    cluster_quality,
    cluster_sizes,
    size_bins,
    size_histogram,
)
from slic_mmaction.durable_file import durable_file
from slic_mmaction.progress import show_progress
from slic_mmaction.visualization.figure_file import save_figure

# isort: split
# After slic_mmaction, which repairs the import of mmaction.
from mmaction.registry import TASK_UTILS

METHODS = {
    "finch": "FINCH",
    "kmeans": "KMeans",
    "spherical-kmeans": "SphericalKMeans",
    "dbscan": "DBSCAN",
    "optics": "OPTICS",
    "agglomerative": "AgglomerativeClustering",
}
# Options with a flag of their own; others are given by --options.
FLAGS = ("level", "num_clusters", "metric", "eps", "distance_threshold", "seed")
BAR_WIDTH = 30
# Okabe and Ito's blue and orange, which colour-blind readers can distinguish.
_CLUSTERS, _POINTS = "#0072B2", "#E69F00"


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("embeddings", type=Path, help="embeddings (N, D), .npy")
    parser.add_argument("--method", choices=METHODS, default="finch")
    parser.add_argument("--level", type=int, help="level of FINCH; 0 (default) is the finest")
    parser.add_argument(
        "--num-clusters", type=int, help="number of clusters, for FINCH and k-means"
    )
    parser.add_argument("--metric", choices=("cosine", "euclidean"), help="default: cosine")
    parser.add_argument("--eps", type=float, help="radius of DBSCAN's neighbourhoods")
    parser.add_argument(
        "--distance-threshold",
        type=float,
        help="largest distance of merged clusters, for agglomerative clustering",
    )
    parser.add_argument("--seed", type=int, help="random seed of k-means")
    parser.add_argument(
        "--options",
        nargs="+",
        action=DictAction,
        default={},
        metavar="KEY=VALUE",
        help="any other option of the clusterer, for example min_samples=4",
    )
    parser.add_argument("--labels", type=Path, help="true classes (N,), .npy, to compare with")
    parser.add_argument("--out", type=Path, help="labels, .npy; default: EMBEDDINGS.METHOD.npy")
    parser.add_argument("--histogram", type=Path, help="PNG to write with the cluster sizes")
    return parser.parse_args()


def load_array(path: Path, ndim: int, kinds: str, what: str) -> np.ndarray:
    """Map a ``.npy`` file into memory.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is not ``.npy`` or does not hold ``what``.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no file {path}: give an .npy file with {what}.")
    try:
        # Copy-on-write keeps the file unchanged; torch warns about a read-only map.
        array = np.lib.format.open_memmap(path, mode="c")
    except ValueError as error:
        raise ValueError(
            f"{path} cannot be read as an .npy file of {what} ({error}): write it by numpy.save."
        ) from error
    if array.ndim != ndim or array.dtype.kind not in kinds or array.size == 0:
        raise ValueError(f"{path} holds {array.dtype} of shape {array.shape}, but it needs {what}.")
    # torch supports only the byte order of the machine.
    return array if array.dtype.isnative else array.astype(array.dtype.newbyteorder("="))


def clusterer_config(args: argparse.Namespace) -> dict[str, Any]:
    """Return a clusterer's config for TASK_UTILS from the command line.

    Raises:
        ValueError: If the method has no such option.
    """
    options = {name: getattr(args, name) for name in FLAGS if getattr(args, name) is not None}
    options.update(args.options)
    known = inspect.signature(TASK_UTILS.get(METHODS[args.method])).parameters
    unknown = [name for name in options if name not in known]
    if unknown:
        raise ValueError(
            f"{args.method} has no option {unknown[0]}: its options are {', '.join(known)}."
        )
    return dict(type=METHODS[args.method], **options)


def write_labels(path: Path, labels: np.ndarray) -> None:
    """Write labels as ``.npy`` atomically."""
    with durable_file(path) as file:
        np.save(file, labels)


def quality_table(labels: np.ndarray, true_labels: np.ndarray | None) -> Table:
    """Return a table of the figures of a clustering and the numbers of clusters by size."""
    quality = cluster_quality(labels, true_labels)
    table = Table("", "", "", show_header=False)
    table.add_row("points", f"{len(labels):,}")
    for name in ("clusters", "noise", "largest"):
        table.add_row(name, f"{quality[name]:,.0f}")
    table.add_row("median", f"{quality['median']:g}")
    table.add_row("singletons", f"{quality['singletons']:.1%}", "of all points")
    for name in ("nmi", "ami", "purity"):
        if name in quality:
            table.add_row("purity" if name == "purity" else name.upper(), f"{quality[name]:.4f}")
    table.add_section()
    bins = size_bins(labels)
    for name, count in bins.items():
        width = math.ceil(BAR_WIDTH * count / max(bins.values()))
        table.add_row(f"of size {name}", f"{count:,}", "█" * width)
    return table


def size_report(labels: np.ndarray, out_path: Path, title: str) -> None:
    """Draw histograms of cluster sizes, counted in clusters and in points.

    Many small clusters may hold few points: a clustering into one huge cluster and a thousand
    pairs looks balanced by its number of clusters.
    """
    sizes = cluster_sizes(labels)
    edges, counts = size_histogram(labels)
    points = np.histogram(sizes, edges, weights=sizes)[0]
    names = list(size_bins(labels))
    noise = len(labels) - int(sizes.sum())
    if noise:
        names.append("noise")
        counts, points = np.append(counts, 0), np.append(points, noise)
    figure = Figure(figsize=(max(5.0, 0.75 * len(names) + 1), 5.4))
    upper, lower = figure.subplots(2, 1, sharex=True)
    _bars(upper, names, counts, _CLUSTERS, [f"{count:,}" if count else "" for count in counts])
    upper.set_title("clusters", fontsize=11)
    upper.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    shares = 100 * points / len(labels)
    _bars(lower, names, shares, _POINTS, [_percent(share) for share in shares])
    lower.set_title("share of all points (%)", fontsize=11)
    lower.set_xlabel("points in a cluster")
    lower.tick_params(axis="x", labelrotation=45 if len(names) > 7 else 0)
    summary = f"{len(labels):,} points, {len(sizes):,} clusters, {noise:,} noise"
    figure.suptitle(f"{title}\n{summary}", fontsize=11)
    figure.tight_layout()
    save_figure(figure, out_path)


def _percent(share: float) -> str:
    return "<0.1" if 0 < share < 0.1 else f"{share:.1f}" if share else ""


def _bars(axis: Axes, names: list[str], heights: np.ndarray, colour: str, notes: list[str]) -> None:
    bars = axis.bar(names, heights, color=colour, width=0.85)
    axis.bar_label(bars, notes, fontsize=8, padding=2)
    axis.set_ylim(0, 1.15 * float(heights.max()) or 1)
    axis.spines[["top", "right"]].set_visible(False)


def run(args: argparse.Namespace) -> None:
    """Cluster embeddings, write the labels and print the figures.

    Raises:
        FileNotFoundError: If an input is missing.
        ValueError: If an input or an option cannot be used.
    """
    embeddings = load_array(args.embeddings, 2, "fiu", "embeddings of shape (N, D)")
    true_labels = None
    if args.labels is not None:
        true_labels = load_array(args.labels, 1, "iu", "integer classes of shape (N,)")
        if len(true_labels) != len(embeddings):
            raise ValueError(
                f"{args.labels} has {len(true_labels)} classes, but {args.embeddings} has "
                f"{len(embeddings)} embeddings: give one class for each row."
            )
    config = clusterer_config(args)
    try:
        clusterer = TASK_UTILS.build(config)
    except TypeError as error:
        raise ValueError(f"An option of {args.method} is of the wrong type: {error}") from error
    out = args.out or args.embeddings.with_suffix(f".{args.method}.npy")
    # Fail before the search, not after it.
    out.parent.mkdir(parents=True, exist_ok=True)
    if not os.access(out.parent, os.W_OK):
        raise PermissionError(f"{out.parent} cannot be written to: choose another --out.")

    count, width = embeddings.shape
    name = f"{config.pop('type')}({', '.join(f'{k}={v}' for k, v in config.items())})"
    begin = time.perf_counter()
    with show_progress(escape(f"{name} of {count:,} x {width}")):
        labels = clusterer(embeddings)
    seconds = time.perf_counter() - begin
    write_labels(out, labels)
    title = f"{name} of {args.embeddings.name}"
    print(f"{title}, {count:,} x {width}, {seconds:.1f} s")
    Console().print(quality_table(labels, true_labels))
    print(f"labels: {out}")
    if args.histogram is not None:
        size_report(labels, args.histogram, title)
        print(f"histogram: {args.histogram}")


def main() -> None:
    """Run the tool. On bad input, print one sentence and exit with code 2."""
    try:
        run(parse_args())
    except (OSError, ValueError, ImportError, MemoryError) as error:
        print(f"{Path(__file__).name}: {' '.join(str(error).split())}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
