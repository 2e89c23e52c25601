"""A plain folder of videos as a data set without labels."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from .lists import UNLABELLED, Entry, Split, VideoLists
from .video_folder import VideoFolder


def list_videos(videos: Path, holdout: float = 0.0, quarantine: Path | None = None) -> VideoLists:
    """List all videos of a folder, each with MMAction2's label for unlabelled, -1.

    Args:
        videos (Path): The folder.
        holdout (float): Part of the videos that is kept out of training. Which they are
            depends on their names only, so it is the same in every run.
        quarantine (Path | None): Folder that broken videos are moved to, if they are.

    Returns:
        VideoLists: ``custom_train_list_videos.txt`` and, with a holdout,
        ``custom_val_list_videos.txt``.

    Raises:
        ValueError: If the folder holds no video, or the holdout leaves none to train on.
    """
    paths = VideoFolder(videos, quarantine).paths
    held_out = set(sorted(paths, key=_scrambled)[: round(holdout * len(paths))])
    if len(held_out) == len(paths):
        raise ValueError(f"{videos} holds {len(paths)} videos, which leaves none to train on.")
    entries = {path: Entry(os.path.dirname(path) or ".", path, UNLABELLED) for path in paths}
    train = tuple(entries[path] for path in paths if path not in held_out)
    splits = [Split("custom_train_list_videos.txt", videos, train)]
    if held_out:
        val = tuple(entries[path] for path in paths if path in held_out)
        splits.append(Split("custom_val_list_videos.txt", videos, val))
    return VideoLists(tuple(splits))


def match_paths(
    entries: Iterable[Entry], class_names: Iterable[str], paths: Sequence[str]
) -> Mapping[Entry, Sequence[str]]:
    """Find the file of each video of :func:`list_videos`, which is named by its path."""
    present = set(paths)
    return {entry: [entry.stem] if entry.stem in present else [] for entry in entries}


def _scrambled(path: str) -> bytes:
    return hashlib.sha1(os.fsencode(path)).digest()
