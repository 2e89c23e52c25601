"""Features of the clips of videos, on disk or in memory, which every metric reads."""

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
_REMEDY = "delete the folder and extract the features again"
Value = TypeVar("Value")


@dataclass(frozen=True)
class Shard:
    """Some videos of a set, whose features are stored in one file.

    Attributes:
        protocol: Name of the protocol from the clips' sampler, if any.
        frame_size: Height and width of the frames, if known.
        videos: Positions of the videos in the set.
        num_clips: Number of clips of each video.
        crc32: Checksum of the stored features.
    """

    protocol: str | None
    frame_size: tuple[int, int] | None
    videos: list[int]
    num_clips: list[int]
    crc32: int = 0


@dataclass(frozen=True)
class FeatureSet:
    """Features of the clips of N videos, in memory or in files that are mapped when needed.

    Attributes:
        names: N paths.
        shards: Shards that together contain each video once, all with the same protocol and frame
            size.
        read: Function from a shard's number to its (clips, D) float32 features.
        layer: Layer of the network, ``'projection'`` or ``'backbone'``.
        labels: (N,) int64 classes. They are never stored; an evaluation adds them. Empty before.
        folder: Folder of the files; None in memory.

    Examples:
        >>> from slic_mmaction.evaluation import FeatureSet
        >>> videos = FeatureSet.in_memory(["a.mp4", "b.mp4"], rows=np.ones((5, 8), np.float32),
        ...     num_clips=[2, 3], layer="backbone", protocol="iic", frame_size=(128, 128),
        ...     labels=np.array([0, 1]))
        >>> videos[1].shape, videos.means().shape, videos.full_name
        ((3, 8), torch.Size([2, 8]), 'iic, backbone feature')
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
        """Make a set of features (sum of num_clips, D) float32, the clips of a video in a row."""
        videos = list(range(len(names)))
        shard = Shard(protocol, frame_size, videos, list(num_clips))
        return cls(list(names), [shard], lambda _: rows, layer, labels)

    def projected(self, head: SLICHead) -> FeatureSet:
        """Project backbone features by a head in evaluation mode, one shard at a time."""
        device = next(head.parameters()).device

        @lru_cache(maxsize=1)
        @torch.no_grad()
        def read(number: int) -> np.ndarray:
            # The head's pooling is skipped: stored rows are clips, also for a 2D network.
            rows = torch.from_numpy(np.array(self.read(number))).to(device)
            return head.projection(rows).float().cpu().numpy()

        return replace(self, read=read, layer="projection")

    @cached_property
    def num_clips(self) -> np.ndarray:
        """Number of clips of each video (N,) int64."""
        counts = np.zeros(len(self.names), dtype=np.int64)
        for shard in self.shards:
            counts[shard.videos] = shard.num_clips
        return counts

    @cached_property
    def dim(self) -> int:
        """Width D of the features."""
        return self.read(0).shape[1]

    @property
    def protocol(self) -> str | None:
        """Name of the protocol from the clips' sampler; None without one."""
        return self.shards[0].protocol

    @property
    def full_name(self) -> str:
        """Full name for results, see :func:`protocols.full_name`.

        Raises:
            ValueError: If the features have no protocol.
        """
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
        """Return the features (C_i, D) float32 of one video."""
        number, begin = self._places[range(len(self))[video]]
        return self.read(number)[begin : begin + self.num_clips[video]]

    def clips(self) -> tuple[Tensor, np.ndarray]:
        """Load all clips (M, D) float32, and the first row of each video (N + 1,) int64."""
        rows = np.concatenate([self[video] for video in range(len(self))])
        return torch.from_numpy(rows), np.concatenate([[0], self.num_clips.cumsum()])

    def means(self) -> Tensor:
        """Average the features over the clips of each video: (N, D) float32."""
        means = np.empty((len(self), self.dim), dtype=np.float32)
        for number, shard in enumerate(self.shards):
            begins = np.cumsum([0, *shard.num_clips[:-1]])
            sums = np.add.reduceat(self.read(number), begins, axis=0, dtype=np.float64)
            means[shard.videos] = sums / np.array(shard.num_clips)[:, None]
        return torch.from_numpy(means)


def only(values: Iterable[Value], what: str) -> Value:
    """Return the value that all videos have; raise a ValueError if they have several."""
    different = list(dict.fromkeys(values))
    if len(different) > 1:
        raise ValueError(
            f"Numbers of different {what}s must not be mixed, but the videos have "
            f"{' and '.join(repr(value) for value in different)}."
        )
    return different[0]


def write_index(folder: Path, names: Sequence[str], key: FeatureKey, layer: str) -> None:
    """Write the index of a folder of features of N videos, before its shards."""
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
    """Write features (C_i, D), by the video's position in the set, atomically.

    The name depends on the videos, so that two ranks cannot overwrite each other's shards.
    """
    videos = list(features)
    path = folder / f"shard_{hashlib.sha256(repr(videos).encode()).hexdigest()[:16]}.npy"
    rows = np.concatenate(list(features.values()))
    with durable_file(path) as file:
        np.save(file, rows)
    # A shard counts only with its .json file, which is written last.
    num_clips = [len(clips) for clips in features.values()]
    shard = Shard(protocol, frame_size, videos, num_clips, zlib.crc32(rows.data))
    with durable_file(path.with_suffix(".json")) as file:
        file.write(json.dumps(dict(asdict(shard), key=key.digest)).encode())


def read_shards(folder: Path, key: FeatureKey) -> dict[Path, Shard]:
    """Find the finished shards of a folder, by their files in the order of the names."""
    shards = {}
    for path in sorted(folder.glob("shard_*.json")):
        content = _read_json(path)
        if content.pop("key") != key.digest:
            raise ValueError(f"{path} belongs to other features than {folder / INDEX}: {_REMEDY}.")
        content["frame_size"] = tuple(content["frame_size"])
        shards[path.with_suffix(".npy")] = Shard(**content)
    return shards


def read_index(folder: Path) -> tuple[list[str], FeatureKey, str]:
    """Read names, key and layer of :func:`write_index`; raises what :func:`load_features` does."""
    path = folder / INDEX
    if not path.is_file():
        parts = sorted(part.parent.name for part in folder.glob(f"*/{INDEX}"))
        hint = f": open one of {', '.join(parts)} in it" if parts else ""
        raise FileNotFoundError(f"There is no {INDEX} in {folder}{hint}.")
    index = _read_json(path)
    if index.get("format") != FORMAT:
        raise ValueError(
            f"{path} is of format {index.get('format')}, but this version reads format {FORMAT}: "
            "extract the features again."
        )
    key = FeatureKey(*(index[field.name] for field in fields(FeatureKey)))
    return index["names"], key, index["layer"]


def _read_json(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): {_REMEDY}.") from error


def load_features(folder: str | Path) -> FeatureSet:
    """Open stored features; they are read when needed.

    Args:
        folder: Folder written by ``tools/extract_features.py`` or :class:`FeatureTestLoop`.

    Raises:
        FileNotFoundError: If the folder has no features.
        ValueError: If they are of another format or incomplete, the videos differ in protocol or
            frame size, or (when it is read) a file is damaged.

    Examples:
        >>> from slic_mmaction.evaluation import load_features
        >>> videos = load_features("features")
        >>> videos.names[0], videos.num_clips, videos.layer
        ('walk_1', array([10, 10, 10, 10]), 'backbone')
        >>> videos.means().shape
        torch.Size([4, 8])
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
            f"{missing[0]}: run the extraction again, with a folder that all ranks see."
        )
    only((shard.protocol for shard in shards), "protocol")
    only((shard.frame_size for shard in shards), "frame size")
    twice = [names[video] for video, count in stored.items() if count > 1]
    if twice:
        raise ValueError(f"{folder} has the features of {twice[0]} twice: {_REMEDY}.")

    @cache
    def read(number: int) -> np.ndarray:
        try:
            # Pickled objects in an .npy file are never loaded.
            rows = np.load(files[number], mmap_mode="r", allow_pickle=False)
        except (ValueError, EOFError) as error:
            raise ValueError(f"{files[number]} is damaged ({error}): {_REMEDY}.") from error
        if zlib.crc32(rows.data) != shards[number].crc32:
            raise ValueError(f"{files[number]} is damaged (wrong checksum): {_REMEDY}.")
        return rows

    return FeatureSet(names, shards, read, layer, folder=folder)
