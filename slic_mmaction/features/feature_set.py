"""Stored features, read back without holding them all."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ..durable_file import durable_file
from .fingerprint import FeatureKey
from .shards import Shard

INDEX = "index.json"
FORMAT = 1


def write_index(
    folder: Path, names: Sequence[str], key: FeatureKey, layer: str, shards: Sequence[Shard]
) -> None:
    """Write what turns a folder of shards into a set of features.

    Args:
        folder (Path): With the shards.
        names (Sequence[str]): Paths of all N videos.
        key (FeatureKey): What the features depend on.
        layer (str): Of the network.
        shards (Sequence[Shard]): Which together hold every video.

    Raises:
        ValueError: If a video is missing, or videos were seen in several ways.
    """
    num_clips = [0] * len(names)
    for shard in shards:
        for video, count in zip(shard.videos, shard.num_clips):
            num_clips[video] = count
    if 0 in num_clips:
        raise ValueError(
            f"{num_clips.count(0)} of {len(names)} videos have no features in {folder}, first "
            f"{names[num_clips.index(0)]}: all ranks must see the same folder; start again to "
            "compute what is missing."
        )
    seen = {(shard.protocol, *shard.frame_size) for shard in shards}
    if len(seen) > 1:
        raise ValueError(f"The videos in {folder} were seen in several ways: {seen}.")
    protocol, height, width = seen.pop()
    first = _map_rows(folder / shards[0].file)
    uniform = num_clips[0] if len(set(num_clips)) == 1 else None
    index = dict(
        format=FORMAT,
        layer=layer,
        protocol=protocol,
        frame_size=[height, width],
        dtype=str(first.dtype),
        shape=[len(names), uniform, first.shape[1]],
        checkpoint_hash=key.checkpoint,
        config_hash=key.config,
        videos_hash=key.videos,
        names=list(names),
        num_clips=num_clips,
        shards=[asdict(shard) for shard in shards],
    )
    with durable_file(folder / INDEX) as file:
        file.write(json.dumps(index).encode())


def load_features(folder: str | Path) -> FeatureSet:
    """Open stored features; nothing but the index is read yet.

    Args:
        folder (str | Path): Which ``tools/extract_features.py`` wrote.

    Returns:
        FeatureSet: Of N videos.

    Raises:
        FileNotFoundError: If there is no index.
        ValueError: If it is of another format.
    """
    path = Path(folder) / INDEX
    if not path.is_file():
        parts = sorted(part.parent.name for part in path.parent.glob(f"*/{INDEX}"))
        hint = f": open one of {', '.join(parts)} in it" if parts else ", or it is not finished"
        raise FileNotFoundError(f"There is no {INDEX} in {folder}{hint}.")
    try:
        index = json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): extract the features again.") from error
    if not isinstance(index, dict) or index.get("format") != FORMAT:
        found = index.get("format") if isinstance(index, dict) else type(index).__name__
        raise ValueError(
            f"{path} is of format {found}, but this version reads {FORMAT}: extract the features "
            "again."
        )
    return FeatureSet(path.parent, index)


class FeatureSet:
    """Features of the clips of N videos, in memory-mapped shards.

    Attributes:
        folder (Path): Where they lie.
        index (dict): The content of ``index.json``.
        names (list[str]): N paths.
        num_clips (np.ndarray): (N,) int64.
        dim (int): D.
    """

    def __init__(self, folder: Path, index: dict[str, Any]) -> None:
        self.folder = folder
        self.index = index
        self.names: list[str] = index["names"]
        self.num_clips = np.array(index["num_clips"], dtype=np.int64)
        self.dim: int = index["shape"][2]
        self._shards = [Shard(**shard) for shard in index["shards"]]
        self._place: dict[int, tuple[int, int]] = {}
        for number, shard in enumerate(self._shards):
            begins = np.cumsum([0, *shard.num_clips]).tolist()
            self._place.update(
                (video, (number, begin)) for video, begin in zip(shard.videos, begins)
            )
        self._open: dict[int, np.ndarray] = {}

    @property
    def key(self) -> FeatureKey:
        """What the features depend on."""
        return FeatureKey(*(self.index[f"{n}_hash"] for n in ("checkpoint", "config", "videos")))

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, video: int) -> np.ndarray:
        """(C_i, D) float32 of one video, memory-mapped."""
        number, begin = self._place[range(len(self))[video]]
        return self._rows(number)[begin : begin + self.num_clips[video]]

    def array(self) -> np.ndarray:
        """(N, C, D) float32 in memory.

        Raises:
            ValueError: If the videos differ in their numbers of clips.
        """
        if self.index["shape"][1] is None:
            raise ValueError(
                f"The videos in {self.folder} have from {self.num_clips.min()} to "
                f"{self.num_clips.max()} clips: take them one by one, or their means()."
            )
        return self.clips()[0].numpy().reshape(len(self), -1, self.dim)

    def clips(self) -> tuple[Tensor, np.ndarray]:
        """(M, D) float32 of all clips in memory, and (N + 1,) int64 where each video begins."""
        begins = np.concatenate([[0], self.num_clips.cumsum()])
        rows = torch.empty(int(begins[-1]), self.dim)
        target = rows.numpy()
        for video in range(len(self)):
            target[begins[video] : begins[video + 1]] = self[video]
        return rows, begins

    def means(self) -> Tensor:
        """(N, D) float32, the plain mean over the clips of each video."""
        means = torch.empty(len(self), self.dim)
        for number, shard in enumerate(self._shards):
            begins = np.cumsum([0, *shard.num_clips[:-1]])
            sums = np.add.reduceat(self._rows(number), begins, axis=0, dtype=np.float64)
            counts = np.array(shard.num_clips)[:, None]
            means[shard.videos] = torch.from_numpy((sums / counts).astype(np.float32))
        return means

    def save_means(self, path: str | Path) -> None:
        """Write :meth:`means` as ``.npy``, for example for cluster_embeddings.py."""
        with durable_file(path) as file:
            np.save(file, self.means().numpy())

    def _rows(self, number: int) -> np.ndarray:
        if number not in self._open:
            shard = self._shards[number]
            rows = _map_rows(self.folder / shard.file)
            if rows.shape != (sum(shard.num_clips), self.dim):
                raise ValueError(
                    f"{self.folder / shard.file} holds {rows.shape}, but its index says "
                    f"{(sum(shard.num_clips), self.dim)}: delete the folder and extract again."
                )
            self._open[number] = rows
        return self._open[number]


def _map_rows(path: Path) -> np.ndarray:
    """Map a shard into memory; the objects that an ``.npy`` may hold are never unpickled."""
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except FileNotFoundError:
        raise
    except (OSError, ValueError, EOFError) as error:
        raise ValueError(
            f"{path} cannot be read ({error}): delete the folder and extract the features again."
        ) from error
