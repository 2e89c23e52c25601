"""Compute a motion descriptor of each video for ``PseudoLabelHook(descriptors=...)``.

    python tools/data/extract_motion.py data/ucf101/videos --out data/ucf101/motion.npz --workers 16
    python tools/data/extract_motion.py data/ucf101/ucf101_train_split_1_videos.txt \\
        --video-root data/ucf101/videos --out data/ucf101/motion.npz

The descriptor is a motion boundary histogram (docs/motion.md), which needs no training and no
labels. Results are saved every minute. The same command continues a stopped run, and adds new
videos. Videos without a descriptor are listed with the reason in ``OUT.broken_videos.txt``.

Exit code: 0 if all videos have a descriptor, 1 if some are broken, 2 if the input cannot be used.
"""

from __future__ import annotations

import argparse
import sys

from slic_mmaction.flow.extract import add_video_arguments, conclude, videos_asked_for
from slic_mmaction.pseudo_labels.motion import describe_motion


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_video_arguments(parser, out="the file, .npz")
    args = parser.parse_args()
    if args.out.suffix != ".npz":
        parser.error("--out must end in .npz")
    return args


def main() -> int:
    args = arguments()
    try:
        videos, root = videos_asked_for(args.videos, args.video_root)
        broken, before = describe_motion(videos, root, args.out, args.workers)
    except (ValueError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Stopped. The same command continues from here.", file=sys.stderr)
        return 130
    report = args.out.with_suffix(".broken_videos.txt")
    return conclude(broken, len(videos) - before, before, report)


if __name__ == "__main__":
    sys.exit(main())
