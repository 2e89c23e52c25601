"""A folder of videos, and the one that its broken ones are moved to."""

from __future__ import annotations

import shutil
from pathlib import Path

from .video_files import find_videos


class VideoFolder:
    """Videos by their path relative to a root, wherever they lie.

    Args:
        root (Path): The folder that annotation lines are relative to.
        quarantine (Path | None): Folder for broken videos, if they are to be moved; they
            keep their relative path there, below the name of ``root``.

    Raises:
        FileNotFoundError: If there is no folder ``root``.
        ValueError: If the quarantine lies within ``root``, where its files would be found.
    """

    def __init__(self, root: Path, quarantine: Path | None = None) -> None:
        self.root = root
        self.quarantine = None if quarantine is None else quarantine / root.name
        present = set(find_videos(root))
        self._moved: set[str] = set()
        if quarantine is not None and self.quarantine is not None:
            if root.resolve() in (quarantine.resolve(), *quarantine.resolve().parents):
                raise ValueError(f"The quarantine {quarantine} lies within {root}; name another.")
            if self.quarantine.is_dir():
                # A file that is in both places was downloaded again.
                self._moved = set(find_videos(self.quarantine)) - present
        self.paths = sorted(present | self._moved)

    def is_moved(self, path: str) -> bool:
        """Whether a video lies in the quarantine."""
        return path in self._moved

    def locate(self, path: str) -> Path:
        """Where a video lies now."""
        if self.quarantine is not None and path in self._moved:
            return self.quarantine / path
        return self.root / path

    def move_away(self, path: str) -> Path:
        """Move a video to the quarantine; its time of change stays.

        Returns:
            Path: Where it lies now.

        Raises:
            ValueError: If this folder has no quarantine.
        """
        if self.quarantine is None:
            raise ValueError(f"No quarantine was named for the videos in {self.root}.")
        target = self.quarantine / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(str(self.root / path), str(target))
        self._moved.add(path)
        return target
