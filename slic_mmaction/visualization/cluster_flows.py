"""Splits and merges of clusters from one clustering of the same videos to the next."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from markupsafe import Markup

from ..clustering.quality import NOISE
from .page import COLOURS, count_of, render

OTHERS = -2  # all clusters that are drawn together
_COLUMNS, _LARGEST = 6, 15
_HEIGHT, _TOP, _GAP, _BAR = 440.0, 44.0, 4.0, 12.0
_WIDTH, _LAST_NAMES, _WIDEST = 1080.0, 130.0, 380.0
_GREY = 50.0  # largest height of the videos outside of the drawn clusters
_SMALLEST_WITH_NAME = 9.0  # pixels
_SVG = """<div class="wide"><svg class="flows" style="max-width: {{ width }}px" role="img"
viewBox="0 0 {{ width }} {{ height }}" aria-label="Which videos go from which cluster to which">
{% for c in columns %}<text class="head" x="{{ c.x }}" y="14">{{ c.head }}</text>
<text class="sub" x="{{ c.x }}" y="31">{{ c.sub }}</text>{% endfor %}
{% for b in bands %}<path d="{{ b.path }}" fill="{{ b.colour }}"><title>{{ b.title }}</title></path>
{% endfor %}
{% for n in nodes %}<rect x="{{ n.x }}" y="{{ n.y }}" width="12" height="{{ n.height }}" rx="2"
fill="{{ n.colour }}"><title>{{ n.title }}</title></rect>
{% if n.name %}<text x="{{ n.x + 17 }}" y="{{ n.y + n.height / 2 + 4 }}">{{ n.name }}</text>
{% endif %}{% endfor %}</svg></div>"""


class Clustering(NamedTuple):
    """A clustering before an epoch (0-based): labels (N,) int64 and paths of videos (N,)."""

    epoch: int
    labels: np.ndarray
    videos: np.ndarray


def matched(before: Clustering, after: Clustering) -> tuple[np.ndarray, np.ndarray]:
    """Return the labels (M,) in both clusterings of their common videos."""
    if np.array_equal(before.videos, after.videos):
        return before.labels, after.labels
    _, first, second = np.intersect1d(before.videos, after.videos, return_indices=True)
    return before.labels[first], after.labels[second]


def flows(before: np.ndarray, after: np.ndarray) -> dict[tuple[int, int], int]:
    """Count the videos that go from one cluster to another, from labels (M,) before and after."""
    if not len(before):
        return {}
    pairs, counts = np.unique(np.stack([before, after]), axis=1, return_counts=True)
    return dict(zip(zip(*pairs.tolist()), counts.tolist()))


def flow_rows(before: Clustering, after: Clustering, most: int = 12) -> list[dict[str, object]]:
    """Make the rows of a table of the next clusters of the videos of the largest clusters."""
    targets: dict[int, list[tuple[int, int]]] = {}
    for (source, target), count in flows(*matched(before, after)).items():
        targets.setdefault(source, []).append((-count, target))
    sizes = {source: -sum(count for count, _ in found) for source, found in targets.items()}
    largest = sorted(sizes, key=lambda source: (-sizes[source], source))
    rows: list[dict[str, object]] = []
    for source in [source for source in largest if source != NOISE][:most]:
        found = sorted(targets[source])
        parts = [f"{_name(target)} ({-count})" for count, target in found[:4]]
        if found[4:]:
            parts.append(f"{len(found) - 4} more ({-sum(count for count, _ in found[4:])})")
        kept = -found[0][0] / sizes[source]
        rows.append(
            {
                "cluster": str(source),
                "videos": sizes[source],
                "stay together": f"{kept:.0%}",
                "go to cluster (videos)": ", ".join(parts),
            }
        )
    return rows


class _Node(NamedTuple):
    column: int
    cluster: int
    size: int
    y: float
    height: float
    colour: str


def flow_picture(clusterings: Sequence[Clustering]) -> Markup:
    """Draw evenly chosen clusterings as columns, and the videos that go from one to the next.

    Two clusters have the same colour if each is the other's largest partner.
    """
    chosen = np.unique(np.linspace(0, len(clusterings) - 1, _COLUMNS).round().astype(int))
    shown = [clusterings[i] for i in chosen]
    labels = [_drawn(one.labels) for one in shown]
    room = _HEIGHT - _GAP * (_LARGEST + 1) - 2 * _GREY
    scale = room / max(1, *(int((drawn >= 0).sum()) for drawn in labels))
    columns: list[dict[int, _Node]] = []
    links = []
    fresh = 0
    for number, one in enumerate(shown):
        drawn = labels[number]
        sizes = dict(zip(*(part.tolist() for part in np.unique(drawn, return_counts=True))))
        before = {}
        if number:
            old = shown[number - 1]
            before = flows(
                *matched(old._replace(labels=labels[number - 1]), one._replace(labels=drawn))
            )
            links.append(before)
        parents = columns[-1] if columns else {}
        order = sorted(sizes, key=lambda k: (k < 0, _height(k, before, parents), -sizes[k], k))
        column: dict[int, _Node] = {}
        y = _TOP
        for cluster in order:
            partner = _partner(cluster, before)
            if cluster < 0:
                colour = "var(--hole)"
            elif partner is not None and partner >= 0:
                colour = parents[partner].colour
            else:
                colour, fresh = COLOURS[fresh % len(COLOURS)], fresh + 1
            height = sizes[cluster] * scale
            height = height if cluster >= 0 else min(height, _GREY)
            column[cluster] = _Node(number, cluster, sizes[cluster], y, height, colour)
            y += height + _GAP
        columns.append(column)
    return _svg(shown, columns, links)


def _drawn(labels: np.ndarray) -> np.ndarray:
    """Replace the labels of all but the largest clusters by OTHERS."""
    found, counts = np.unique(labels[labels >= 0], return_counts=True)
    largest = found[np.lexsort((found, -counts))[:_LARGEST]]
    return np.where(np.isin(labels, largest) | (labels < 0), np.maximum(labels, NOISE), OTHERS)


def _height(cluster: int, before: dict[tuple[int, int], int], parents: dict[int, _Node]) -> float:
    """Return the mean height of the previous clusters of a cluster's videos."""
    coming = [(parents[a].y, count) for (a, b), count in before.items() if b == cluster]
    return sum(y * count for y, count in coming) / max(1, sum(count for _, count in coming))


def _partner(cluster: int, before: dict[tuple[int, int], int]) -> int | None:
    """Return the previous cluster that this one continues, or None."""
    coming = {a: count for (a, b), count in before.items() if b == cluster}
    if not coming:
        return None
    source = max(coming, key=lambda a: (coming[a], -a))
    going = {b: count for (a, b), count in before.items() if a == source}
    return source if max(going, key=lambda b: (going[b], -b)) == cluster else None


def _svg(
    shown: Sequence[Clustering],
    columns: Sequence[dict[int, _Node]],
    links: Sequence[dict[tuple[int, int], int]],
) -> Markup:
    step = min(_WIDEST, (_WIDTH - _LAST_NAMES) / max(1, len(shown) - 1))
    bands = []
    for number, found in enumerate(links):
        lefts, rights = columns[number], columns[number + 1]
        left_x, right_x = number * step + _BAR, (number + 1) * step
        middle = (left_x + right_x) / 2
        left_y, right_y = ({k: n.y for k, n in column.items()} for column in (lefts, rights))
        for a, b in sorted(found, key=lambda pair: (lefts[pair[0]].y, rights[pair[1]].y)):
            count = found[a, b]
            y0, y1 = left_y[a], right_y[b]
            left_y[a] += count / lefts[a].size * lefts[a].height
            right_y[b] += count / rights[b].size * rights[b].height
            path = (
                f"M{left_x:g} {y0:.1f}C{middle:g} {y0:.1f} {middle:g} {y1:.1f} {right_x:g} {y1:.1f}"
                f"V{right_y[b]:.1f}C{middle:g} {right_y[b]:.1f} {middle:g} {left_y[a]:.1f} "
                f"{left_x:g} {left_y[a]:.1f}z"
            )
            title = f"{_title(a)} to {_title(b)}: {count_of(count, 'video')}"
            bands.append(dict(path=path, colour=lefts[a].colour, title=title))
    nodes = []
    for node in (node for column in columns for node in column.values()):
        named = node.height >= _SMALLEST_WITH_NAME
        nodes.append(
            dict(
                x=round(node.column * step),
                y=round(node.y, 1),
                height=round(max(node.height, 0.5), 1),
                colour=node.colour,
                name=f"{_name(node.cluster)} \u00b7 {node.size}" if named else "",
                title=f"{_title(node.cluster)}: {count_of(node.size, 'video')}",
            )
        )
    heads = [
        dict(
            x=round(number * step),
            head=f"before epoch {one.epoch + 1}",
            sub=count_of(len(np.unique(one.labels[one.labels >= 0])), "cluster"),
        )
        for number, one in enumerate(shown)
    ]
    width = round((len(shown) - 1) * step + _LAST_NAMES)
    bottom = max(node.y + node.height for column in columns for node in column.values())
    height = round(bottom + 6, 1)
    return render(_SVG, columns=heads, bands=bands, nodes=nodes, width=width, height=height)


def _name(cluster: int) -> str:
    return {NOISE: "none", OTHERS: "others"}.get(cluster, str(cluster))


def _title(cluster: int) -> str:
    return {NOISE: "no cluster", OTHERS: "other clusters"}.get(cluster, f"cluster {cluster}")
