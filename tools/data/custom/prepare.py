"""Prepare a folder of your own videos, without labels: SLIC needs none.

In the root of the repository:

    python tools/data/custom/prepare.py path/to/videos

Can be stopped and started again at any time. More in docs/data/custom.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from slic_mmaction.preparation.options import add_probe_options, run_tool, settings_from, share
from slic_mmaction.preparation.own_videos import list_videos, match_paths
from slic_mmaction.preparation.prepare import prepare
from slic_mmaction.preparation.ready_config import write_config
from slic_mmaction.preparation.summary import print_report

CONFIGS = Path(__file__).parents[3] / "configs"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the preparation; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("videos", type=Path, help="the folder; videos in its subfolders count as well")
    add("--root", type=Path, default=Path("data/custom"), help="folder to write to")
    add("--holdout", type=share, default=0.0, help="part of the videos kept out of training")
    add_probe_options(parser)
    args = parser.parse_args(argv)
    settings = settings_from(args)
    lists = list_videos(args.videos, args.holdout, settings.quarantine)
    report = prepare(lists, args.root, settings, match=match_paths)
    config = args.root / "slic_r3d_custom.py"
    write_config(config, CONFIGS, report, lists.splits[0].file_name, None)
    print_report(report, config)
    return 0 if any(split.usable for split in report.splits) else 1


if __name__ == "__main__":
    run_tool(main)
