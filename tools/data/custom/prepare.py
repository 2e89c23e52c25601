"""Prepare a folder of your own videos, without labels: SLIC needs none.

In the root of the repository:

    python tools/data/custom/prepare.py path/to/videos

Can be stopped and started again at any time. More in docs/data/custom.md.
"""

from __future__ import annotations

import argparse
import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from slic_mmaction.preparation.lists import UNLABELLED, Entry, Split, VideoLists
from slic_mmaction.preparation.options import add_probe_options, run_tool, settings_from, share
from slic_mmaction.preparation.prepare import prepare
from slic_mmaction.preparation.summary import conclude
from slic_mmaction.preparation.video_files import count_others, locate_videos

CONFIGS = Path(__file__).parents[3] / "configs"
TRAIN, VAL = "custom_train_list_videos.txt", "custom_val_list_videos.txt"


def list_videos(videos: Path, holdout: float = 0.0, quarantine: Path | None = None) -> VideoLists:
    """List all videos of a folder, each with MMAction2's label for unlabelled, -1.

    Args:
        videos: The folder.
        holdout: Part of the videos that is kept out of training. Which they are depends on their
            names only, so it is the same in every run.
        quarantine: Folder that broken videos are moved to.

    Raises:
        ValueError: If the folder holds no video, or the holdout leaves none to train on.
    """
    places, others = locate_videos(videos, quarantine)
    if not places:
        raise ValueError(f"{videos} holds no videos (passed over: {count_others(others)}).")
    by_hash = sorted(places, key=lambda path: hashlib.sha1(os.fsencode(path)).digest())
    held_out = set(by_hash[: round(holdout * len(places))])
    if len(held_out) == len(places):
        raise ValueError(f"{videos} holds {len(places)} videos, which leaves none to train on.")
    entries = [Entry(os.path.dirname(path) or ".", path, UNLABELLED) for path in places]
    train = tuple(entry for entry in entries if entry.stem not in held_out)
    splits = [Split(TRAIN, videos, train)]
    if held_out:
        splits.append(Split(VAL, videos, tuple(e for e in entries if e.stem in held_out)))
    return VideoLists(tuple(splits))


def match_paths(
    entries: Iterable[Entry], class_names: Iterable[str], paths: Sequence[str]
) -> dict[Entry, list[str]]:
    """Find the file of each video of :func:`list_videos`, which is named by its path."""
    present = set(paths)
    return {entry: [entry.stem] if entry.stem in present else [] for entry in entries}


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
    if len(lists.splits) == 1:
        # An earlier run may have held some out; now they are trained on.
        (args.root / VAL).unlink(missing_ok=True)
    return conclude(report, args.root / "slic_r3d_custom.py", CONFIGS, TRAIN, None)


if __name__ == "__main__":
    run_tool(main)
