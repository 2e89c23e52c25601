"""Features of the clips of videos, on disk or in memory: what every metric reads."""

from __future__ import annotations

import hashlib
import json
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from ..durable_file import durable_file
from ..models.slic_head import SLICHead
from .fingerprint import FORMAT, FeatureKey
from .protocols import full_name

INDEX = "index.json"
_ANEW = "delete the folder and extract the features again"
Value = TypeVar("Value")


@dataclass(frozen=True)
class Shard:
    """Some videos of a set, whose features are stored one after the other.

    Attributes:
        protocol: Name that the clips' sampler gave, if any.
        frame_size: Height and width of the frames, where known.
        videos: Positions in the set.
        num_clips: Clips of each.
        crc32: Check sum of the stored features.
    """

    protocol: str | None
    frame_size: tuple[int, int] | None
    videos: list[int]
    num_clips: list[int]
    crc32: int = 0


@dataclass(frozen=True)
class FeatureSet:
    """Features of the clips of N videos; those in files are mapped into memory when asked for.

    Attributes:
        names: N paths.
        shards: Which together hold each video once, of one protocol and frame size.
        read: From a shard's number to its (clips, D) float32 features.
        layer: Of the network, ``'projection'`` or ``'backbone'``.
        labels: (N,) int64 classes, which an evaluation adds: they are never stored. Empty before.
        folder: Where the files are, None in memory.
    """

    names: list[str]
    shards: Sequence[Shard]
    read: Callable[[int], np.ndarray]
    layer: str
    labels: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    folder: Path | None = None

    @classmethod
    def in_memory(
        cls,
        names: Sequence[str],
        rows: np.ndarray,
        num_clips: Sequence[int],
        layer: str,
        protocol: str | None,
        frame_size: tuple[int, int] | None,
        labels: np.ndarray,
    ) -> FeatureSet:
        """A set of given (sum of num_clips, D) float32 features."""
        videos = list(range(len(names)))
        shard = Shard(protocol, frame_size, videos, list(num_clips))
        return cls(list(names), [shard], lambda _: rows, layer, labels)

    def projected(self, head: SLICHead) -> FeatureSet:
        """What a head in evaluation mode makes of backbone features, a shard at a time."""
        device = next(head.parameters()).device

        @lru_cache(maxsize=1)
        @torch.no_grad()
        def read(number: int) -> np.ndarray:
            # Without the head's pooling: stored rows are clips, of a 2D network as well.
            rows = torch.from_numpy(np.array(self.read(number))).to(device)
            return head.projection(rows).float().cpu().numpy()

        return replace(self, read=read, layer="projection")

    @cached_property
    def num_clips(self) -> np.ndarray:
        """(N,) int64."""
        counts = np.zeros(len(self.names), dtype=np.int64)
        for shard in self.shards:
            counts[shard.videos] = shard.num_clips
        return counts

    @cached_property
    def dim(self) -> int:
        """D."""
        return self.read(0).shape[1]

    @property
    def protocol(self) -> str | None:
        """Name that the clips' sampler gave, None of clips without one."""
        return self.shards[0].protocol

    @property
    def full_name(self) -> str:
        """What figures are of, see :func:`protocols.full_name`; a ValueError without a protocol."""
        if self.protocol is None:
            raise ValueError(
                "The data samples name no retrieval protocol: begin the pipeline with "
                "SampleProtocolClips and end it with PackActionInputs(meta_keys=('protocol',))."
            )
        return full_name(self.protocol, self.layer, self.shards[0].frame_size)

    def __len__(self) -> int:
        return len(self.names)

    @cached_property
    def _places(self) -> dict[int, tuple[int, int]]:
        places: dict[int, tuple[int, int]] = {}
        for number, shard in enumerate(self.shards):
            begins = np.cumsum([0, *shard.num_clips]).tolist()
            places.update((video, (number, begin)) for video, begin in zip(shard.videos, begins))
        return places

    def __getitem__(self, video: int) -> np.ndarray:
        """(C_i, D) float32 of one video."""
        number, begin = self._places[range(len(self))[video]]
        return self.read(number)[begin : begin + self.num_clips[video]]

    def clips(self) -> tuple[Tensor, np.ndarray]:
        """(M, D) float32 of all clips in memory, and (N + 1,) int64 where each video begins."""
        rows = np.concatenate([self[video] for video in range(len(self))])
        return torch.from_numpy(rows), np.concatenate([[0], self.num_clips.cumsum()])

    def means(self) -> Tensor:
        """(N, D) float32, the plain mean over the clips of each video."""
        means = np.empty((len(self), self.dim), dtype=np.float32)
        for number, shard in enumerate(self.shards):
            begins = np.cumsum([0, *shard.num_clips[:-1]])
            sums = np.add.reduceat(self.read(number), begins, axis=0, dtype=np.float64)
            means[shard.videos] = sums / np.array(shard.num_clips)[:, None]
        return torch.from_numpy(means)


def only(values: Iterable[Value], what: str) -> Value:
    """The value that all videos share; a ValueError if they have several."""
    different = list(dict.fromkeys(values))
    if len(different) > 1:
        raise ValueError(
            f"Numbers of different {what}s must not be mixed, but the videos have "
            f"{' and '.join(repr(value) for value in different)}."
        )
    return different[0]


def write_index(folder: Path, names: Sequence[str], key: FeatureKey, layer: str) -> None:
    """Begin a folder for the features of N named videos; its shards follow."""
    index = dict(format=FORMAT, layer=layer, **asdict(key), names=list(names))
    with durable_file(folder / INDEX) as file:
        file.write(json.dumps(index).encode())


def write_shard(
    folder: Path,
    key: FeatureKey,
    features: dict[int, np.ndarray],
    protocol: str | None,
    frame_size: tuple[int, int],
) -> None:
    """Write features (C_i, D) by the video's position in the set; they appear whole or not at all.

    The name follows from the videos, so that two ranks cannot overwrite each other's.
    """
    videos = list(features)
    path = folder / f"shard_{hashlib.sha256(repr(videos).encode()).hexdigest()[:16]}.npy"
    rows = np.concatenate(list(features.values()))
    with durable_file(path) as file:
        np.save(file, rows)
    # What has no such line beside it is not there: the line comes last.
    num_clips = [len(clips) for clips in features.values()]
    shard = Shard(protocol, frame_size, videos, num_clips, zlib.crc32(rows.data))
    with durable_file(path.with_suffix(".json")) as file:
        file.write(json.dumps(dict(asdict(shard), key=key.digest)).encode())


def read_shards(folder: Path, key: FeatureKey) -> dict[Path, Shard]:
    """The shards of a folder, finished ones only, by their files in the order of the names."""
    shards = {}
    for path in sorted(folder.glob("shard_*.json")):
        content = _read_json(path)
        if content.pop("key") != key.digest:
            raise ValueError(f"{path} belongs to other features than {folder / INDEX}: {_ANEW}.")
        content["frame_size"] = tuple(content["frame_size"])
        shards[path.with_suffix(".npy")] = Shard(**content)
    return shards


def read_index(folder: Path) -> tuple[list[str], FeatureKey, str]:
    """Names, key and layer that :func:`write_index` wrote; errors as of :func:`load_features`."""
    path = folder / INDEX
    if not path.is_file():
        parts = sorted(part.parent.name for part in folder.glob(f"*/{INDEX}"))
        hint = f": open one of {', '.join(parts)} in it" if parts else ""
        raise FileNotFoundError(f"There is no {INDEX} in {folder}{hint}.")
    index = _read_json(path)
    if index.get("format") != FORMAT:
        raise ValueError(
            f"{path} is of format {index.get('format')}, but this version reads {FORMAT}: extract "
            "the features again."
        )
    key = FeatureKey(*(index[field.name] for field in fields(FeatureKey)))
    return index["names"], key, index["layer"]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): {_ANEW}.") from error


def load_features(folder: str | Path) -> FeatureSet:
    """Open stored features; none of them is read yet.

    Args:
        folder: Which ``tools/extract_features.py`` or :class:`FeatureTestLoop` wrote.

    Raises:
        FileNotFoundError: If there are none.
        ValueError: If they are of another format or incomplete, or the videos differ in protocol
            or size of frames; when a damaged file is read.
    """
    folder = Path(folder)
    names, key, layer = read_index(folder)
    found = read_shards(folder, key)
    files, shards = list(found), list(found.values())
    stored = Counter(video for shard in shards for video in shard.videos)
    missing = [name for video, name in enumerate(names) if video not in stored]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(names)} videos have no features in {folder}, first "
            f"{missing[0]}: all ranks must see the same folder; start again to compute what is "
            "missing."
        )
    only((shard.protocol for shard in shards), "protocol")
    only((shard.frame_size for shard in shards), "frame size")
    twice = [names[video] for video, count in stored.items() if count > 1]
    if twice:
        raise ValueError(f"{folder} has the features of {twice[0]} twice: {_ANEW}.")

    @cache
    def read(number: int) -> np.ndarray:
        try:
            # Objects that an .npy may hold are never unpickled.
            rows = np.load(files[number], mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ValueError(f"{files[number]} is damaged ({error}): {_ANEW}.") from error
        if zlib.crc32(rows.data) != shards[number].crc32:
            raise ValueError(f"{files[number]} is damaged (wrong check sum): {_ANEW}.")
        return rows

    return FeatureSet(names, shards, read, layer, folder=folder)
