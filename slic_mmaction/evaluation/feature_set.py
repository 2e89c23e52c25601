"""Features of the clips of videos, on disk or in memory: what every metric reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from ..durable_file import durable_file
from ..models.slic_head import SLICHead
from .fingerprint import FeatureKey
from .protocols import full_name

INDEX = "index.json"
FORMAT = 1
Value = TypeVar("Value")


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
    frame_size: tuple[int, int] | None
    videos: list[int]
    num_clips: list[int]


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
        key: What the features depend on, None in memory.
    """

    names: list[str]
    shards: Sequence[Shard]
    read: Callable[[int], np.ndarray]
    layer: str
    labels: np.ndarray = field(default_factory=lambda: np.empty(0, dtype=np.int64))
    folder: Path | None = None
    key: FeatureKey | None = None

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
        shard = Shard("", "", protocol, frame_size, videos, list(num_clips))
        return cls(list(names), [shard], lambda _: rows, layer, labels)

    def projected(self, head: SLICHead) -> FeatureSet:
        """What a head in evaluation mode makes of backbone features, a shard at a time."""
        device = next(head.parameters()).device

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
        """What figures are of: the protocol, with everything that is not the protocol's.

        Raises:
            ValueError: If the clips have no protocol.
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
        """(C_i, D) float32 of one video."""
        number, begin = self._places[range(len(self))[video]]
        return self.read(number)[begin : begin + self.num_clips[video]]

    def array(self) -> np.ndarray:
        """(N, C, D) float32 in memory.

        Raises:
            ValueError: If the videos differ in their numbers of clips.
        """
        if self.num_clips.min() != self.num_clips.max():
            raise ValueError(
                f"The videos in {self.folder} have from {self.num_clips.min()} to "
                f"{self.num_clips.max()} clips: take them one by one, or their means()."
            )
        return self.clips()[0].numpy().reshape(len(self), -1, self.dim)

    def clips(self) -> tuple[Tensor, np.ndarray]:
        """(M, D) float32 of all clips in memory, and (N + 1,) int64 where each video begins."""
        begins = np.concatenate([[0], self.num_clips.cumsum()])
        rows = np.empty((int(begins[-1]), self.dim), dtype=np.float32)
        for number, shard in enumerate(self.shards):
            parts = np.split(self.read(number), np.cumsum(shard.num_clips)[:-1])
            for video, part in zip(shard.videos, parts):
                rows[begins[video] : begins[video + 1]] = part
        return torch.from_numpy(rows), begins

    def means(self) -> Tensor:
        """(N, D) float32, the plain mean over the clips of each video."""
        means = np.empty((len(self), self.dim), dtype=np.float32)
        for number, shard in enumerate(self.shards):
            begins = np.cumsum([0, *shard.num_clips[:-1]])
            sums = np.add.reduceat(self.read(number), begins, axis=0, dtype=np.float64)
            means[shard.videos] = sums / np.array(shard.num_clips)[:, None]
        return torch.from_numpy(means)


def only(values: Iterable[Value], what: str) -> Value:
    """The value that all videos share.

    Raises:
        ValueError: If they have several.
    """
    different = list(dict.fromkeys(values))
    if len(different) > 1:
        raise ValueError(
            f"Numbers of different {what}s must not be mixed, but the videos have "
            f"{' and '.join(repr(value) for value in different)}."
        )
    return different[0]


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
    name = hashlib.sha256(repr((key.digest, videos)).encode()).hexdigest()[:16]
    counts = [len(rows) for rows in features.values()]
    shard = Shard(f"shard_{name}.npy", key.digest, protocol, frame_size, videos, counts)
    with durable_file(folder / shard.file) as file:
        np.save(file, np.concatenate(list(features.values())))
    # What has no such line beside it is not there: the line comes last.
    with durable_file(folder / f"shard_{name}.json") as file:
        file.write(json.dumps(asdict(shard)).encode())


def read_shards(folder: Path) -> Iterator[Shard]:
    """The shards of a folder, finished ones only, in the order of their names."""
    for path in sorted(folder.glob("shard_*.json")):
        yield _shard(json.loads(path.read_text()))


def write_index(folder: Path, names: Sequence[str], key: FeatureKey, layer: str) -> None:
    """Write what turns a folder of shards into a set of the features of N named videos.

    Raises:
        ValueError: If a video is missing, or videos differ in protocol or size of frames.
    """
    shards = list(read_shards(folder))
    stored = {video for shard in shards for video in shard.videos}
    missing = [name for video, name in enumerate(names) if video not in stored]
    if missing:
        raise ValueError(
            f"{len(missing)} of {len(names)} videos have no features in {folder}, first "
            f"{missing[0]}: all ranks must see the same folder; start again to compute what is "
            "missing."
        )
    first = _map_rows(folder / shards[0].file)
    counts = {count for shard in shards for count in shard.num_clips}
    index = dict(
        format=FORMAT,
        layer=layer,
        protocol=only((shard.protocol for shard in shards), "protocol"),
        frame_size=only((shard.frame_size for shard in shards), "frame size"),
        dtype=str(first.dtype),
        shape=[len(names), counts.pop() if len(counts) == 1 else None, first.shape[1]],
        checkpoint_hash=key.checkpoint,
        config_hash=key.config,
        videos_hash=key.videos,
        names=list(names),
        shards=[asdict(shard) for shard in shards],
    )
    with durable_file(folder / INDEX) as file:
        file.write(json.dumps(index).encode())


def load_features(folder: str | Path) -> FeatureSet:
    """Open stored features; nothing but the index is read yet.

    Args:
        folder: Which ``tools/extract_features.py`` or :class:`FeatureTestLoop` wrote.

    Raises:
        FileNotFoundError: If there is no index.
        ValueError: If it is damaged or of another format.
    """
    folder = Path(folder)
    path = folder / INDEX
    if not path.is_file():
        parts = sorted(part.parent.name for part in folder.glob(f"*/{INDEX}"))
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
    shards = [_shard(shard) for shard in index["shards"]]

    @cache
    def read(number: int) -> np.ndarray:
        rows = _map_rows(folder / shards[number].file)
        expected = (sum(shards[number].num_clips), index["shape"][2])
        if rows.shape != expected:
            raise ValueError(
                f"{folder / shards[number].file} holds {rows.shape}, but its index says "
                f"{expected}: delete the folder and extract again."
            )
        return rows

    key = FeatureKey(*(index[f"{name}_hash"] for name in ("checkpoint", "config", "videos")))
    return FeatureSet(index["names"], shards, read, index["layer"], folder=folder, key=key)


def _shard(fields: dict) -> Shard:
    return Shard(**{**fields, "frame_size": tuple(fields["frame_size"])})


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
