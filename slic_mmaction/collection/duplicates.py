"""Groups of near-duplicate videos: candidates by their vectors, decided by their footage."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from ..decoding import UnreadableVideoError
from ..nearest import exact_rows, similarity_blocks
from ..preparation.workers import Failure, run_isolated
from ..progress import progress_bar
from .footage import Footage, Match, compare, read_footage

NEIGHBORS = 10
"""Of each video, so many of the most similar ones are compared with it."""

_SURE_NEIGHBORS = 3  # compared however little they resemble
_UNLIKE = 0.9  # share of random pairs than which any further candidate is closer
_RANDOM_PAIRS = 20_000
_MOTION, _STILL = 0.8, 0.6  # least correlations of copies
_SAME_LENGTH = 0.2  # seconds
_SAME_PIXELS = 0.95  # share: bars are found to a 64th of the picture
_TIMEOUT = 3600.0  # seconds for one video
_FEW = 8  # videos


class Member(NamedTuple):
    """A video that has near-duplicates.

    Attributes:
        group: From 0; videos of one group show the same footage.
        keep: Whether this is the one to keep.
        path: Relative to the collection's folder.
        width: In pixels.
        height: In pixels.
        seconds: Length.
        bytes: Size of the file.
        agrees_with: The member of its group that it agrees with best.
        agreement: Correlation of what moves in both, at most 1.
        offset: Seconds of that member at which this video begins; negative if it begins before.
        mirrored: Whether it is mirrored to that member.
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
    """What was found.

    Attributes:
        members: All videos with near-duplicates, group by group, the one to keep first.
        pairs: The pairs of paths that agree, each in alphabetical order.
        compared: Number of pairs whose footage was compared.
        unreadable: Videos that could not be compared, and why.
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
    neighbors: int = NEIGHBORS,
    num_workers: int = 1,
) -> Duplicates:
    """Find near-duplicates among videos.

    Args:
        folder: Of the videos.
        sizes: Bytes of each file, by path relative to ``folder``.
        paths: The video of each window; windows of one video stand together.
        vectors: (N, D) of windows.
        neighbors: Of each video, so many of the most similar ones are compared with it.
        num_workers: Decoding processes.
    """
    names = list(dict.fromkeys(paths))
    pairs = candidates(paths, vectors, neighbors)
    wanted = [names[i] for i in np.unique(pairs)]
    footage, unreadable = _read_all(folder, wanted, num_workers)
    found: dict[tuple[str, str], Match] = {}
    compared = 0
    with progress_bar("comparing pairs", len(pairs)) as advance:
        for a, b in ((names[i], names[j]) for i, j in pairs):
            if a in footage and b in footage:
                compared += 1
                match = compare(footage[a], footage[b])
                if match.motion >= _MOTION and match.still >= _STILL:
                    found[a, b] = match
            advance()
    return Duplicates(_group(found, footage, sizes), found, compared, unreadable)


def candidates(paths: Sequence[str], vectors: np.ndarray, neighbors: int) -> np.ndarray:
    """Pairs of videos whose vectors are close.

    Two videos are as close as their closest windows. Of each video the three closest others are
    taken, and of its further ``neighbors`` those that are closer than nine of ten random pairs of
    windows of different videos: what is close differs from network to network.

    Args:
        paths: The video of each window; windows of one video stand together.
        vectors: (N, D) of windows.
        neighbors: How many of the closest others to take.

    Returns:
        (P, 2) numbers of videos, in order of appearance, the lower first; sorted.
    """
    first = np.flatnonzero([i == 0 or paths[i] != paths[i - 1] for i in range(len(paths))])
    video = np.repeat(np.arange(len(first)), np.diff([*first, len(paths)]))
    count = min(neighbors, len(first) - 1)
    if count < 1:
        return np.empty((0, 2), int)
    others = np.empty((len(paths), count), int)
    cosines = np.empty((len(paths), count))
    with progress_bar("comparing vectors", len(paths)) as advance:
        for part, block in similarity_blocks(vectors, vectors):
            to_videos = np.maximum.reduceat(block.numpy(), first, axis=1)
            rows = np.arange(len(to_videos))
            to_videos[rows, video[part]] = -np.inf
            others[part] = np.argpartition(-to_videos, count - 1, axis=1)[:, :count]
            cosines[part] = to_videos[rows[:, None], others[part]]
            for _ in rows:
                advance()
    # A video's closest others are among those of its windows.
    least = _usual_cosine(video, vectors)
    chosen = []
    for start, end in zip(first, [*first[1:], len(paths)]):
        best: dict[int, float] = {}
        own = zip(others[start:end].ravel().tolist(), cosines[start:end].ravel().tolist())
        for other, cosine in own:
            best[other] = max(cosine, best.get(other, -math.inf))
        ranked = sorted(best.items(), key=lambda item: (-item[1], item[0]))[:count]
        for rank, (other, cosine) in enumerate(ranked):
            if rank < _SURE_NEIGHBORS or cosine >= least:
                chosen.append(sorted((int(video[start]), other)))
    return np.unique(chosen, axis=0)


def _usual_cosine(video: np.ndarray, vectors: np.ndarray) -> float:
    """The cosine that nine of ten random pairs of windows of different videos stay below."""
    a, b = np.random.default_rng(0).integers(0, len(video), (2, _RANDOM_PAIRS))
    apart = video[a] != video[b]
    rows = [exact_rows(torch.from_numpy(vectors[i[apart]]), "cosine") for i in (a, b)]
    return float(np.quantile((rows[0] * rows[1]).sum(1).numpy(), _UNLIKE))


def _read_all(
    folder: Path, paths: Sequence[str], num_workers: int
) -> tuple[dict[str, Footage], dict[str, str]]:
    """Footage of videos, and why others have none; each is decoded once."""
    footage: dict[str, Footage] = {}
    unreadable: dict[str, str] = {}
    read = partial(_read, folder)
    with progress_bar("decoding candidates", len(paths)) as advance:
        # A few are done before worker processes have started.
        few = len(paths) < _FEW
        done = map(lambda path: (path, read(path)), paths) if few else None
        for path, result in done or run_isolated(read, paths, num_workers, _TIMEOUT):
            if isinstance(result, Failure):
                unreadable[path] = result.reason
            else:
                footage[path] = result
            advance()
    return footage, unreadable


def _read(folder: Path, path: str) -> Footage | Failure:
    try:
        return read_footage(str(folder / path))
    except (UnreadableVideoError, OSError) as error:
        return Failure(str(error))


def _group(
    pairs: Mapping[tuple[str, str], Match],
    footage: Mapping[str, Footage],
    sizes: Mapping[str, int],
) -> list[Member]:
    """Videos joined by pairs, the largest group first."""
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
    """The video to keep: of most pixels inside of bars, then the longest, then the largest file."""
    most = max(footage[name].pixels for name in group)
    sharp = [name for name in group if footage[name].pixels >= _SAME_PIXELS * most]
    longest = max(footage[name].seconds for name in sharp)
    whole = [name for name in sharp if footage[name].seconds >= longest - _SAME_LENGTH]
    return max(sorted(whole), key=lambda name: sizes[name])
