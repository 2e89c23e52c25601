"""Preparing a folder of videos without labels."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Sequence
from pathlib import Path

from .lists import UNLABELLED, Entry, Split, VideoLists
from .video_files import count_others, locate_videos

TRAIN, VAL = "custom_train_list_videos.txt", "custom_val_list_videos.txt"


def list_videos(videos: Path, holdout: float = 0.0, quarantine: Path | None = None) -> VideoLists:
    """List all videos of a folder, each with MMAction2's label of unlabelled videos, -1.

    Args:
        videos: Folder of the videos.
        holdout: Share of the videos for validation. They are chosen by their names, so the choice
            is the same in every run.
        quarantine: Folder to which broken videos are moved.

    Raises:
        ValueError: If the folder has no video, or the holdout leaves none for training.
    """
    places, others = locate_videos(videos, quarantine)
    if not places:
        raise ValueError(f"{videos} holds no videos (skipped: {count_others(others)}).")
    by_hash = sorted(places, key=lambda path: hashlib.sha1(os.fsencode(path)).digest())
    held_out = set(by_hash[: round(holdout * len(places))])
    if len(held_out) == len(places):
        raise ValueError(
            f"{videos} has {len(places)} videos, and the holdout leaves none for training: use a "
            "smaller holdout."
        )
    entries = [Entry(os.path.dirname(path) or ".", path, UNLABELLED) for path in places]
    train = tuple(entry for entry in entries if entry.stem not in held_out)
    splits = [Split(TRAIN, videos, train)]
    if held_out:
        splits.append(Split(VAL, videos, tuple(e for e in entries if e.stem in held_out)))
    return VideoLists(tuple(splits))


def match_paths(
    entries: Iterable[Entry], class_names: Iterable[str], paths: Sequence[str]
) -> dict[Entry, list[str]]:
    """Find the file of each video of :func:`list_videos` by its path."""
    present = set(paths)
    return {entry: [entry.stem] if entry.stem in present else [] for entry in entries}
