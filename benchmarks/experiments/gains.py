"""Draw what an arm gains over another, by the number of source videos.

    python benchmarks/experiments/gains.py info_nce_late20 --against info_nce_instance \
        --reports 48=QUARTER.json 108=HALF.json 216=ALL.json --out OUT.png

A report is the JSON file that ``report.py`` writes. The gain is in points of mAP of the backbone
feature after the last epoch: a point for each seed that both arms have, and a line of means.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from matplotlib.figure import Figure
from report import curve

from slic_mmaction.visualization.figure_file import save_figure


def gains(report: Path, arm: str, against: str) -> dict[str, float]:
    """Return the gain of each seed of a report."""
    runs = json.loads(report.read_text("utf-8"))
    last = {}
    for name in (arm, against):
        for seed, run in runs[name].items():
            values = curve([run], "figures", "mAP", "backbone")
            last[name, seed] = float(values[max(values)][0])
    return {s: last[arm, s] - last[against, s] for s in runs[arm] if (against, s) in last}


def main() -> None:
    """Run the tool."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("arm")
    parser.add_argument("--against", required=True, metavar="ARM")
    parser.add_argument("--reports", nargs="+", required=True, metavar="SOURCES=FILE")
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    figure = Figure(figsize=(6, 3.5), layout="constrained")
    axis = figure.subplots()
    means = {}
    for sources, _, report in (pair.partition("=") for pair in args.reports):
        found = gains(Path(report), args.arm, args.against)
        print(f"{sources} sources:", *(f"seed {s} {gain:+.1f}" for s, gain in found.items()))
        axis.plot([int(sources)] * len(found), list(found.values()), "o", color="C0", alpha=0.5)
        means[int(sources)] = sum(found.values()) / len(found)
    axis.plot(list(means), list(means.values()), color="C0")
    axis.axhline(0, color="0.5", linewidth=1)
    axis.set(xlabel="source videos", xticks=list(means), ylabel="gain (points of mAP)")
    axis.set_ylim(-3, 3)
    axis.grid(alpha=0.3)
    save_figure(figure, args.out)


if __name__ == "__main__":
    main()
