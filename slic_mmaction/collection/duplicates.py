"""Finding groups of near-duplicate videos among nearest neighbours by comparing their footage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..nearest import similarity_blocks, top_k_lowest_index_first
from ..progress import progress_bar
from .footage import Footage, Match, compare, summary
from .footage_table import FootageTable, read_all
from .search import random_cosines

_CLOSER_THAN = 0.95  # share of random pairs of windows; docs/duplicates.md has measurements
_SAME_LENGTH = 0.2  # seconds
_SAME_PIXELS = 0.95  # share, because bars are located to a 64th of the picture


class Member(NamedTuple):
    """A video that has near-duplicates.

    Attributes:
        group: Number of the group, from 0. Videos of the same group show the same footage.
        keep: Whether this is the one to keep.
        path: Path relative to the collection's folder.
        width: Width in pixels.
        height: Height in pixels.
        seconds: Length in seconds.
        bytes: Size of the file in bytes.
        agrees_with: Path of the most similar video of the group.
        agreement: Correlation of the motion in both videos, at most 1.
        offset: Time in that video, in seconds, at which this one begins; negative if it begins
            earlier.
        mirrored: Whether it is a mirror image of that video.

    Examples:
        >>> from slic_mmaction.collection import Collection
        >>> member = Collection("index").duplicates().members[1]
        >>> member.path, member.agrees_with, round(member.agreement, 2)
        ('walk_1_copy.mp4', 'walk_1.mp4', 1.0)
    """

    group: int
    keep: bool
    path: str
    width: int
    height: int
    seconds: float
    bytes: int
    agrees_with: str
    agreement: float
    offset: float
    mirrored: bool


class Duplicates(NamedTuple):
    """Near-duplicates of a collection, as :meth:`Collection.duplicates` returns them.

    Attributes:
        members: All videos with near-duplicates, group by group, the one to keep first.
        pairs: Pairs of paths of near-duplicates, each in alphabetical order, with their match.
        compared: Number of pairs whose footage was compared.
        unreadable: Reasons by path of the videos that could not be compared.

    Examples:
        >>> from slic_mmaction.collection import Collection
        >>> found = Collection("index").duplicates()
        >>> [(member.path, member.keep) for member in found.members]
        [('walk_1.mp4', True), ('walk_1_copy.mp4', False)]
    """

    members: list[Member]
    pairs: dict[tuple[str, str], Match]
    compared: int
    unreadable: dict[str, str]


def find_duplicates(
    folder: Path,
    sizes: Mapping[str, int],
    paths: Sequence[str],
    vectors: np.ndarray,
    table: FootageTable,
    neighbors: int = 10,
    num_workers: int = 0,
) -> Duplicates:
    """Find near-duplicates among videos.

    Every video is decoded once, over all calls, and compared with its nearest neighbours by vectors
    and by overall appearance. Both are needed: vectors of a weak network may differ after a change
    of colours, and the appearance of a long video does not show a short common part. A neighbour by
    vectors must also be closer than 95% of random pairs of windows.

    Args:
        folder: Folder of the videos.
        sizes: Size of each file in bytes, by path relative to ``folder``.
        paths: Video of each window; windows of the same video are consecutive.
        vectors: (N, D) vectors of the windows.
        table: Footage of earlier calls, to which that of new videos is added.
        neighbors: Number of nearest neighbours of each kind.
        num_workers: Number of decoding processes; 0 decodes in this one.

    Raises:
        FileNotFoundError: If no video can be read.
    """
    names = list(dict.fromkeys(paths))
    footage, unreadable = read_all(folder, names, num_workers, table)
    if not footage:
        raise FileNotFoundError(f"No video of the index can be read: check the folder {folder}.")
    readable = [name for name in names for _ in range(2) if name in footage]
    random = random_cosines(vectors, paths)
    limit = float(np.quantile(random, _CLOSER_THAN)) if len(random) else -np.inf
    pairs = set(nearest_videos(paths, vectors, neighbors, limit))
    looks = np.concatenate([summary(footage[name]) for name in readable[::2]])
    pairs |= set(nearest_videos(readable, looks, neighbors))
    both = sorted((a, b) for a, b in pairs if a in footage and b in footage)
    found: dict[tuple[str, str], Match] = {}
    with progress_bar("comparing pairs", len(both)) as advance:
        for a, b in both:
            match = compare(footage[a], footage[b])
            if match.is_copy:
                found[a, b] = match
            advance()
    return Duplicates(_group(found, footage, sizes), found, len(both), unreadable)


def nearest_videos(
    paths: Sequence[str], vectors: np.ndarray, neighbors: int, limit: float = -np.inf
) -> list[tuple[str, str]]:
    """Find the nearest neighbours of each video, by the closest vectors of two videos.

    The search is exact, with memory for ``neighbors`` of each vector.

    Args:
        paths: Video of each vector; those of the same video are consecutive.
        vectors: (N, D) vectors.
        neighbors: Number of nearest neighbours; of equally close ones the first.
        limit: Cosine that neighbours must reach.

    Returns:
        Pairs of paths in alphabetical order, each once.
    """
    first = np.flatnonzero([i == 0 or paths[i] != paths[i - 1] for i in range(len(paths))])
    names = [paths[int(i)] for i in first]
    video = np.repeat(np.arange(len(first)), np.diff([*first, len(paths)]))
    count = min(neighbors, len(first) - 1)
    if count < 1:
        return []
    closest: list[dict[int, float]] = [{} for _ in first]
    with progress_bar("comparing vectors", len(paths)) as advance:
        for part, block in similarity_blocks(vectors, vectors):
            to_videos = np.maximum.reduceat(block.numpy(), first, axis=1)
            to_videos[np.arange(len(to_videos)), video[part]] = -np.inf
            # A video's closest others are among those of its vectors.
            cosines, others = top_k_lowest_index_first(torch.from_numpy(to_videos), count)
            for own, row, values in zip(video[part], others.tolist(), cosines.tolist()):
                best = closest[own]
                for other, cosine in zip(row, values):
                    best[other] = max(cosine, best.get(other, -2.0))
                advance()
    pairs = set()
    for own, best in enumerate(closest):
        for other in sorted(best, key=lambda other: (-best[other], other))[:count]:
            if best[other] < limit:
                break
            pairs.add((min(names[own], names[other]), max(names[own], names[other])))
    return sorted(pairs)


def _group(
    pairs: Mapping[tuple[str, str], Match],
    footage: Mapping[str, Footage],
    sizes: Mapping[str, int],
) -> list[Member]:
    """Group videos connected by pairs, the largest group first."""
    names = sorted({name for pair in pairs for name in pair})
    place = {name: i for i, name in enumerate(names)}
    links = np.array([[place[a], place[b]] for a, b in pairs], int).reshape(-1, 2)
    graph = coo_array((np.ones(len(links)), links.T), (len(names), len(names)))
    labels = connected_components(graph, directed=False)[1] if names else []
    groups: dict[int, list[str]] = {}
    for name, label in zip(names, labels):
        groups.setdefault(int(label), []).append(name)
    closest: dict[str, tuple[float, str, float, bool]] = {}
    for (a, b), match in pairs.items():
        for name, other, offset in ((a, b, -match.offset), (b, a, match.offset)):
            seen = (match.motion, other, offset, match.mirrored)
            closest[name] = max(closest.get(name, seen), seen)
    members = []
    for number, group in enumerate(sorted(groups.values(), key=lambda g: (-len(g), g))):
        keep = best_of(group, footage, sizes)
        for name in sorted(group, key=lambda name: (name != keep, name)):
            own = footage[name]
            motion, other, offset, mirrored = closest[name]
            members.append(
                Member(
                    number,
                    name == keep,
                    name,
                    own.width,
                    own.height,
                    round(own.seconds, 2),
                    sizes[name],
                    other,
                    round(motion, 4),
                    round(offset, 1),
                    mirrored,
                )
            )
    return members


def best_of(group: Sequence[str], footage: Mapping[str, Footage], sizes: Mapping[str, int]) -> str:
    """Choose the video to keep, by pixels inside the bars, length, absence of bars, and file size.

    Each criterion decides between videos that are about equal by the previous ones.
    """
    most = max(footage[name].pixels for name in group)
    sharp = [name for name in group if footage[name].pixels >= _SAME_PIXELS * most]
    longest = max(footage[name].seconds for name in sharp)
    whole = [name for name in sharp if footage[name].seconds >= longest - _SAME_LENGTH]
    smallest = min(footage[name].width * footage[name].height for name in whole)
    bare = [n for n in whole if footage[n].width * footage[n].height * _SAME_PIXELS <= smallest]
    return max(sorted(bare), key=lambda name: sizes[name])
