"""Scale a folder of videos to a short side, so that training decodes less.

In the root of the repository:

    python tools/data/resize_videos.py data/ucf101/videos data/ucf101/videos_128 --short-side 128

then prepare the new folder (``tools/data/*/prepare.py --videos data/ucf101/videos_128``). Frames
and their times stay; names stay but for the suffix .mp4; the sound goes. Can be stopped
and started again at any time. Uses the program ffmpeg if there is one, else PyAV.
"""

from __future__ import annotations

import argparse
import importlib.util
import shutil
from collections.abc import Sequence
from pathlib import Path

from slic_mmaction.preparation.options import add_worker_options, positive_int, run_tool
from slic_mmaction.preparation.resize_run import FAULTS, resize_folder
from slic_mmaction.preparation.resizing import Scaling


def main(argv: Sequence[str] | None = None) -> int:
    """Run the scaling; returns the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("source", type=Path, help="folder of the videos")
    add("target", type=Path, help="folder for the results")
    add("--short-side", type=positive_int, default=256, help="pixels of the shorter side")
    add("--upscale", action="store_true", help="enlarge smaller videos as well")
    add("--crf", type=int, default=20, choices=range(52), metavar="0..51", help="x264's quality")
    add_worker_options(parser, timeout=600.0)
    args = parser.parse_args(argv)
    ffmpeg = shutil.which("ffmpeg")
    if ffmpeg is None and importlib.util.find_spec("av") is None:
        raise RuntimeError("Neither ffmpeg nor PyAV is there: run `pip install av`, then again.")
    scaling = Scaling(args.short_side, args.upscale, args.crf)
    result = resize_folder(args.source, args.target, scaling, ffmpeg, args.workers, args.timeout)
    print(
        f"videos found: {result.found}, resized now: {result.done} "
        f"(by {ffmpeg or 'PyAV'}), before: {result.before}, failed: {len(result.faults)}"
    )
    if result.faults:
        print(f"what failed and why: {args.target / FAULTS}")
    print(f"next: prepare the data set with --videos {args.target}")
    return 0 if result.done or result.before else 1


if __name__ == "__main__":
    run_tool(main)
