"""Pages of a collection's search results and clusters."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from ..collection.groups import NOISE
from .page import count_of, facts, render, section, write_page
from .thumbnails import Moment, card, cards, span_text, strips, video_url

if TYPE_CHECKING:
    from ..collection import Collection, Hit

_CLUSTERS, _NEAREST, _FARTHEST = 60, 5, 3


def search_page(
    collection: Collection,
    query: str | Path,
    hits: Sequence[Hit],
    path: str | Path,
    start: float | None = None,
    end: float | None = None,
) -> Path:
    """Write a page of a query and the most similar moments.

    Args:
        collection: The searched collection.
        query: Query of :meth:`~slic_mmaction.collection.Collection.search`.
        hits: Result of the search.
        path: Path of the HTML file.
        start: ``start`` of the search, in seconds.
        end: ``end`` of the search, in seconds.

    Returns:
        The path.

    Examples:
        >>> from slic_mmaction.collection import Collection
        >>> from slic_mmaction.visualization import search_page
        >>> collection = Collection("index")
        >>> hits = collection.search("walk_1.mp4")
        >>> search_page(collection, "walk_1.mp4", hits, "search.html").name
        'search.html'
    """
    path = Path(path)
    own = collection.windows_of(query)
    name = str(query) if own is None else collection.paths[own[0]]
    asked = Moment(
        Path(query).resolve() if own is None else collection.folder / name,
        start or 0.0,
        math.inf if end is None else end,
    )
    found = [Moment(collection.folder / hit.path, hit.start, hit.end) for hit in hits]
    first, *others = strips([asked, *found])
    details = "the whole video"
    if start is not None or end is not None:
        until = "its end" if end is None else f"{end:g} s"
        details = f"from {asked.start:g} s to {until}"
    shown = [
        card(
            hit.path,
            [
                f"{span_text(hit.start, hit.end)} \u00b7 cosine {hit.cosine:.6f}",
                f"closer than {hit.closer_than:.2%} of random pairs",
            ],
            strip,
            video_url(moment, path),
            player=True,
            badge=str(hit.rank),
        )
        for hit, moment, strip in zip(hits, found, others)
    ]
    query_card = card(name, [details], first, video_url(asked, path), player=True)
    return write_page(
        path,
        f"Most similar to {name.rpartition('/')[2]}",
        [
            f"The best {count_of(len(hits), 'moment')} among "
            f"{count_of(len(set(collection.paths)), 'video')} in {collection.folder}."
        ],
        [
            section("Query", cards([query_card], large=True)),
            section(
                "Found, best first",
                cards(shown, large=True),
                note="Random pairs are moments of different videos of this collection.",
            ),
        ],
    )


def cluster_page(collection: Collection, path: str | Path) -> Path:
    """Write a page of a collection's clusters, with the most and least typical windows of each.

    Clusters are ordered by their number of videos, and then by their spread.

    Args:
        collection: Collection with clusters.
        path: Path of the HTML file.

    Returns:
        The path.

    Examples:
        >>> from slic_mmaction.collection import Collection
        >>> from slic_mmaction.visualization import cluster_page
        >>> collection = Collection("index")
        >>> clusters = collection.cluster(dict(type="KMeans", num_clusters=2))
        >>> cluster_page(collection, "clusters.html").name
        'clusters.html'
    """
    path = Path(path)
    cluster, distance = collection.column("cluster"), collection.column("distance")
    starts, ends = collection.column("start"), collection.column("end")
    names, videos = np.unique(collection.paths, return_inverse=True)
    clusters = ordered_clusters(cluster, distance, videos)
    shown = clusters[:_CLUSTERS]
    chosen = [members(one.rows, distance, videos) for one in shown]
    rows = [row for parts in chosen for part in parts for row in part]
    moments = [
        Moment(collection.folder / names[videos[row]], float(starts[row]), float(ends[row]))
        for row in rows
    ]
    drawn = {
        row: card(
            str(names[videos[row]]),
            [f"{span_text(starts[row], ends[row])} \u00b7 distance {distance[row]:.4f}"],
            strip,
            video_url(moment, path),
        )
        for row, moment, strip in zip(rows, moments, strips(moments, height=72))
    }
    sections = []
    for one, (nearest, farthest) in zip(shown, chosen):
        parts = [render("<h3>nearest to the mean</h3>"), cards([drawn[row] for row in nearest])]
        if farthest:
            parts.append(render("<h3>farthest from the mean</h3>"))
            parts.append(cards([drawn[row] for row in farthest]))
        folders = folders_text([str(names[video]) for video in one.videos])
        note = f"{size_text(one)} \u00b7 spread {one.spread:.4f}{folders}"
        sections.append(section(f"Cluster {one.number}", *parts, note=note))
    figures = {"clusters": len(clusters), "windows": len(cluster), "videos": len(names)}
    if (cluster == NOISE).any():
        figures["windows in no cluster"] = int((cluster == NOISE).sum())
    notes = [
        "The largest clusters, by number of videos, come first. Spread is the mean distance "
        "(1 - cosine) of a cluster's windows to their mean.",
        f"Of each cluster at most {_NEAREST + _FARTHEST} windows are shown, of different videos.",
    ]
    if len(clusters) > len(shown):
        left_out = sum(len(one.rows) for one in clusters[_CLUSTERS:]) / len(cluster)
        others = count_of(len(clusters) - len(shown), "other")
        notes.append(
            f"The {len(shown)} clusters of most videos are shown; left out here: {others}, with "
            f"{left_out:.1%} of all windows."
        )
    title = f"Clusters of {collection.folder.name}"
    return write_page(path, title, notes, [facts(figures), *sections])


class Cluster(NamedTuple):
    number: int
    rows: np.ndarray
    videos: np.ndarray
    spread: float


def ordered_clusters(
    cluster: np.ndarray, distance: np.ndarray, videos: np.ndarray
) -> list[Cluster]:
    """Order clusters by their number of videos, and then by spread; all arguments are (N,)."""
    found = []
    by_cluster = np.argsort(cluster, kind="stable")
    numbers, first = np.unique(cluster[by_cluster], return_index=True)
    for number, rows in zip(numbers.tolist(), np.split(by_cluster, first[1:])):
        if number != NOISE:
            spread = float(distance[rows].mean())
            found.append(Cluster(number, rows, np.unique(videos[rows]), spread))
    return sorted(found, key=lambda one: (-len(one.videos), one.spread, one.number))


def members(
    rows: np.ndarray, distance: np.ndarray, videos: np.ndarray
) -> tuple[list[int], list[int]]:
    """Choose the windows nearest to and farthest from a cluster's mean.

    They are of different videos if the cluster has several.

    Args:
        rows: Rows of the cluster.
        distance: (N,) distance of each row to the mean of its cluster.
        videos: (N,) number of each row's video.

    Returns:
        Rows by ascending distance, and other rows by descending distance.
    """
    order = rows[np.argsort(distance[rows], kind="stable")].tolist()
    several = len(set(videos[rows].tolist())) > 1
    taken: set[int] = set()

    def take(candidates: list[int], count: int) -> list[int]:
        found: list[int] = []
        for row in candidates:
            key = int(videos[row]) if several else row
            if key not in taken and len(found) < count:
                taken.add(key)
                found.append(row)
        return found

    return take(order, _NEAREST), take(order[::-1], _FARTHEST)


def folders_text(paths: Sequence[str]) -> str:
    """List the folders with the most of some videos, with their numbers."""
    counts = Counter(path.rpartition("/")[0] for path in paths)
    if list(counts) == [""]:
        return ""
    common = ", ".join(
        f"{name or 'the top folder'} ({count})" for name, count in counts.most_common(3)
    )
    more = f" and {count_of(len(counts) - 3, 'more folder')}" if len(counts) > 3 else ""
    return f" \u00b7 in {common}{more}"


def size_text(one: Cluster) -> str:
    """Format a cluster's numbers of windows and videos."""
    return f"{count_of(len(one.rows), 'window')} of {count_of(len(one.videos), 'video')}"
