"""Prepare a folder of your own videos for pretraining, without labels.

In the root of the repository:

    python tools/data/custom/prepare.py path/to/videos

A stopped preparation continues with the same command. See docs/data/custom.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from slic_mmaction.preparation.folder import TRAIN, VAL, list_videos, match_paths
from slic_mmaction.preparation.options import add_probe_options, run_tool, settings_from, share
from slic_mmaction.preparation.prepare import prepare
from slic_mmaction.preparation.summary import conclude

CONFIGS = Path(__file__).parents[3] / "configs"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the preparation and return the exit code."""
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
    if len(lists.splits) == 1:
        # Validation videos of an earlier run are now used for training.
        (args.root / VAL).unlink(missing_ok=True)
    base = CONFIGS / "slic_r3d_ucf101.py"
    return conclude(report, args.root / "slic_r3d_custom.py", base, TRAIN, None)


if __name__ == "__main__":
    run_tool(main)
