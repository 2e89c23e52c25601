"""Features on disk while they are computed: shards that appear whole, one rank's each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from ..durable_file import durable_file


@dataclass(frozen=True)
class Shard:
    """Some videos of a set and the file with the features of their clips, one after the other.

    Attributes:
        file: Name of an ``.npy`` file, (sum of num_clips, D) float32.
        key: Digest of the :class:`FeatureKey`.
        protocol: Name that the clips' sampler gave, if any.
        frame_size: Height and width of the frames.
        videos: Positions in the set.
        num_clips: Clips of each.
    """

    file: str
    key: str
    protocol: str | None
    frame_size: list[int]
    videos: list[int]
    num_clips: list[int]


class ShardWriter:
    """Collects features of one rank and writes a shard whenever there are enough of them.

    A shard's name follows from its videos, so that two writers cannot overwrite each other's.

    Args:
        folder (Path): Where to.
        key (str): Digest of the :class:`FeatureKey`.
        shard_videos (int): Videos in a shard: what a killed run loses at most.
    """

    def __init__(self, folder: Path, key: str, shard_videos: int) -> None:
        self.folder = folder
        self.key = key
        self.shard_videos = shard_videos
        self._videos: list[int] = []
        self._rows: list[np.ndarray] = []
        self._seen: tuple[str | None, tuple[int, int]] | None = None

    def add(
        self, video: int, rows: np.ndarray, protocol: str | None, frame_size: tuple[int, int]
    ) -> None:
        """Take the features (C, D) float32 of a video and how it was seen.

        Raises:
            ValueError: If it was seen otherwise than the video before.
        """
        seen = (protocol, frame_size)
        if self._seen not in (None, seen):
            raise ValueError(f"Videos are seen in different ways, {self._seen} and {seen}.")
        self._seen = seen
        self._videos.append(video)
        self._rows.append(rows)
        if len(self._videos) == self.shard_videos:
            self.flush()

    def flush(self) -> None:
        """Write what has been collected."""
        if self._seen is None or not self._videos:
            return
        protocol, frame_size = self._seen
        name = hashlib.sha256(repr((self.key, self._videos)).encode()).hexdigest()[:16]
        shard = Shard(
            file=f"shard_{name}.npy",
            key=self.key,
            protocol=protocol,
            frame_size=list(frame_size),
            videos=self._videos,
            num_clips=[len(rows) for rows in self._rows],
        )
        with durable_file(self.folder / shard.file) as file:
            np.save(file, np.concatenate(self._rows))
        # What has no such line beside it is not there: the line comes last.
        with durable_file(self.folder / f"shard_{name}.json") as file:
            file.write(json.dumps(asdict(shard)).encode())
        self._videos, self._rows = [], []


def read_shards(folder: Path) -> Iterator[Shard]:
    """The shards of a folder, finished ones only, in the order of their names."""
    for path in sorted(folder.glob("shard_*.json")):
        yield Shard(**json.loads(path.read_text()))
