"""A map of a collection: every video a point in the plane, near what is like it."""

from __future__ import annotations

import html
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from markupsafe import Markup
from matplotlib.figure import Figure

from ..collection.groups import NOISE, cluster_means
from ..progress import progress_bar
from .figure_file import save_figure
from .page import render, visible, write_page
from .thumbnails import Moment, strips, video_url

if TYPE_CHECKING:
    from ..collection import Collection

_POINTS, _THUMBNAILS = 5000, 1500  # more would make the page slow, and larger than 25 MB
_FEWEST_FOR_UMAP = 10
_NEIGHBORS = 15
# Strong colours first; all stand out on white and on black.
_COLOURS = (
    *("#1f77b4", "#ff7f0e", "#2ca02c", "#d62728", "#9467bd", "#8c564b", "#e377c2", "#17becf"),
    *("#bcbd22", "#3b5bdb", "#0b8a6a", "#c2255c", "#e8a100", "#7048e8", "#6fa8dc", "#f4a261"),
    *("#82c96a", "#f28482", "#b39ddb", "#a1887f"),
)
_GREY = "#9aa0a6"
_BODY = """<style>
#map { position: relative; padding: 8px; margin-top: 18px }
#plot { height: min(76vh, 820px); min-height: 460px }
#tip { position: fixed; z-index: 9; width: 296px; padding: 8px; display: none; pointer-events: none;
  background: var(--card); border: 1px solid var(--line); border-radius: 8px;
  box-shadow: 0 6px 24px #0004; font-size: 13px; line-height: 1.4 }
#tip img { display: block; width: 100%; border-radius: 5px; margin-bottom: 6px }
#tip div { overflow-wrap: anywhere; unicode-bidi: isolate } #tip div + div { color: var(--faint) }
</style>
<section id="map"><div id="plot"></div></section>
<div id="tip"><img alt=""><div></div><div></div></div>
<script>{{ plotly }}</script>
<script>
const data = {{ data|tojson }};
const plot = document.getElementById("plot"), tip = document.getElementById("tip");
const [image, name, details] = tip.children;
const style = getComputedStyle(document.body);
const colours = () => ({
  "font.color": style.color, "modebar.activecolor": style.color,
  "modebar.color": style.getPropertyValue("--faint")});
const narrow = innerWidth < 760, bare = {visible: false};
Plotly.newPlot(plot, data.traces, {
  margin: {l: 8, r: 8, t: 36, b: 8}, paper_bgcolor: "transparent", plot_bgcolor: "transparent",
  xaxis: bare, yaxis: bare, hovermode: "closest", dragmode: "pan", hoverdistance: 12,
  font: {family: style.fontFamily, size: 13}, modebar: {bgcolor: "transparent"}, showlegend: true,
  legend: narrow ? {orientation: "h", y: 0, yanchor: "top"} : {itemsizing: "constant"}
}, {responsive: true, displaylogo: false, scrollZoom: true,
  modeBarButtons: [["zoom2d", "pan2d", "zoomIn2d", "zoomOut2d", "resetScale2d"]]});
Plotly.relayout(plot, colours());
matchMedia("(prefers-color-scheme: dark)").addEventListener(
  "change", () => Plotly.relayout(plot, colours()));
plot.on("plotly_hover", event => {
  const point = data.points[event.points[0].customdata];
  image.style.display = point.image ? "" : "none";
  image.src = point.image;
  name.textContent = point.path;
  details.textContent = point.details;
  tip.style.display = "block";
  const {clientX: x, clientY: y} = event.event, box = tip.getBoundingClientRect();
  const right = x + 16 + box.width > innerWidth, low = y + 16 + box.height > innerHeight;
  tip.style.left = Math.max(4, right ? x - 16 - box.width : x + 16) + "px";
  tip.style.top = Math.max(4, low ? y - 16 - box.height : y + 16) + "px";
});
plot.on("plotly_unhover", () => { tip.style.display = "none"; });
plot.on("plotly_click", event => {
  const point = data.points[event.points[0].customdata];
  if (point.url) open(point.url);
});
</script>"""


class Map(NamedTuple):
    """What a map was written to.

    Attributes:
        page: The HTML file.
        picture: The PNG file.
        note: What was drawn, and how.
    """

    page: Path
    picture: Path
    note: str


def collection_map(collection: Collection, path: str | Path, color: str | None = None) -> Map:
    """Draw the videos of a collection, each at the mean of its windows' vectors, in the plane.

    Args:
        collection: Any.
        path: The HTML file; a PNG file is written beside it.
        color: ``"cluster"``, the one of most of a video's windows, or ``"folder"``, the topmost;
            clusters by default if there are any.

    Raises:
        ValueError: If ``color`` is another one, or there are no clusters.
        ImportError: If plotly is not installed.
    """
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise ImportError(
            "A map of videos needs plotly: pip install 'slic-mmaction[collection]'."
        ) from error
    path, cluster = Path(path), collection.column("cluster")
    if color is None:
        color = "cluster" if (cluster != NOISE).any() else "folder"
    if color not in ("cluster", "folder"):
        raise ValueError(f"A map is coloured by cluster or by folder, not by {color}.")
    if color == "cluster" and not (cluster != NOISE).any():
        raise ValueError("This collection has no clusters yet: `slic clusters` makes them.")
    names, videos = np.unique(collection.paths, return_inverse=True)
    groups = _clusters(cluster, videos) if color == "cluster" else _folders(names)
    generator = np.random.default_rng(0)
    drawn = np.sort(generator.permutation(len(names))[:_POINTS])
    points, how = place(cluster_means(collection.vectors, videos)[drawn])
    count = f"{len(drawn)} of {len(names)} videos (a random sample)"
    if len(drawn) == len(names):
        count = f"{len(names)} videos" if len(names) > 1 else "1 video"
    with_image = np.sort(generator.permutation(drawn)[:_THUMBNAILS])
    moments = [Moment(collection.folder / name) for name in names[with_image].tolist()]
    images = dict(zip(with_image.tolist(), strips(moments, height=70)))
    windows = np.bincount(videos)
    records: list[dict[str, str]] = []
    for video in drawn.tolist():
        image = images.get(video)
        problem = f" \u00b7 {image.problem}" if image and image.problem else ""
        number = f"{windows[video]} window" + ("s" if windows[video] > 1 else "")
        records.append(
            dict(
                path=visible(str(names[video])),
                details=f"{visible(groups[video])} \u00b7 {number}{problem}",
                image=image.source if image else "",
                url=video_url(Moment(collection.folder / str(names[video])), path),
            )
        )
    layers = _layers([groups[video] for video in drawn.tolist()], color)
    note = f"{count}, placed by {how}, coloured by {color}"
    play = ", click to play it" if any(record["url"] for record in records) else ""
    notes = [
        f"{note}.",
        "Near points are alike; axes, and distances between far points, have no meaning. Point at "
        f"a video to see it{play}, scroll to zoom, click a name to hide its points.",
    ]
    if len(images) < len(drawn):
        notes.append(f"A random {len(images)} of the points have a thumbnail.")
    values = dict(traces=[layer.trace(points) for layer in layers], points=records)
    body = render(_BODY, plotly=Markup(get_plotlyjs()), data=values)
    title = f"Map of {collection.folder.name}"
    picture = _picture(points, layers, f"{visible(title)}: {note}", path.with_suffix(".png"))
    return Map(write_page(path, title, notes, [body]), picture, note)


def place(vectors: np.ndarray) -> tuple[np.ndarray, str]:
    """Place vectors (N, D) of length 1 in the plane, like ones together; the same every time.

    Returns:
        (N, 2) float64, and by which method: UMAP, or PCA if that is not installed or N is small.
    """
    if len(vectors) >= _FEWEST_FOR_UMAP:
        try:
            from umap import UMAP
        except ImportError:
            how = "PCA (pip install 'slic-mmaction[view]' brings UMAP, which shows groups better)"
        else:
            neighbors = min(_NEIGHBORS, len(vectors) - 1)
            # Several threads would make every run another map.
            umap = UMAP(n_neighbors=neighbors, metric="cosine", random_state=0, n_jobs=1)
            doing = f"placing {len(vectors)} videos by UMAP"
            with progress_bar(doing, None), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # as on how small or split the graph is
                return umap.fit_transform(vectors).astype(float), "UMAP"
    else:
        how = "PCA, as so few are too few for UMAP"
    left, scale, _ = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    plane = np.zeros((len(vectors), 2))
    plane[:, : len(scale)] = (left * scale)[:, :2]
    return plane * np.where(plane[abs(plane).argmax(axis=0), [0, 1]] < 0, -1, 1), how


def _clusters(cluster: np.ndarray, videos: np.ndarray) -> list[str]:
    """By video: the cluster that most of its windows are in, the lower number among equals."""
    pairs, counts = np.unique(np.stack([videos, cluster]), axis=1, return_counts=True)
    counts = np.where(pairs[1] == NOISE, 0, counts)
    best = np.lexsort((pairs[1], -counts, pairs[0]))
    first = best[np.unique(pairs[0][best], return_index=True)[1]]
    return ["no cluster" if k == NOISE else f"cluster {k}" for k in pairs[1][first].tolist()]


def _folders(names: np.ndarray) -> list[str]:
    return [name.partition("/")[0] if "/" in name else "no folder" for name in names.tolist()]


class _Layer(NamedTuple):
    """Points of one colour."""

    name: str
    colour: str
    rows: list[int]
    rank: int  # in the legend

    def trace(self, points: np.ndarray) -> dict[str, Any]:
        """In plotly's words, which reads names as HTML."""
        name = self.name if len(self.name) <= 32 else f"{self.name[:31]}\u2026"
        return dict(
            type="scatter",
            mode="markers",
            name=html.escape(name),
            x=points[self.rows, 0].round(4).tolist(),
            y=points[self.rows, 1].round(4).tolist(),
            customdata=self.rows,
            hoverinfo="none",
            legendrank=self.rank,
            marker=dict(color=self.colour, size=8 if len(points) <= 1500 else 5, opacity=0.85),
        )


def _layers(groups: Sequence[str], color: str) -> list[_Layer]:
    """The largest groups in colours of their own, above the others in grey."""
    rows_of: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        rows_of.setdefault(group, []).append(row)
    sizes = Counter({group: len(rows) for group, rows in rows_of.items() if group != "no cluster"})
    large = sorted(sizes, key=lambda group: (-sizes[group], group))[: len(_COLOURS)]
    layers = [
        _Layer(visible(group), colour, rows_of[group], rank)
        for rank, (group, colour) in enumerate(zip(large, _COLOURS))
    ]
    others = [group for group in rows_of if group not in large]
    if others:
        name = others[0] if len(others) == 1 else f"{len(others)} other {color}s"
        rows = sorted(row for group in others for row in rows_of[group])
        layers.insert(0, _Layer(name, _GREY, rows, len(large)))
    return layers


def _picture(points: np.ndarray, layers: Sequence[_Layer], title: str, path: Path) -> Path:
    figure = Figure(figsize=(11, 8))
    axis = figure.add_subplot()
    size = 22 if len(points) <= 1500 else 8
    dots = {
        layer.rank: axis.scatter(
            points[layer.rows, 0], points[layer.rows, 1], s=size, color=layer.colour, linewidths=0
        )
        for layer in layers
    }
    ranked = sorted(layers, key=lambda layer: layer.rank)
    handles = [dots[layer.rank] for layer in ranked]
    legend = axis.legend(
        handles, ["name"] * len(ranked), loc="center left", bbox_to_anchor=(1, 0.5), frameon=False
    )
    for text, layer in zip(legend.get_texts(), ranked):
        text.set(text=layer.name[:32], parse_math=False)
    axis.set_title(title, fontsize=11).set_parse_math(False)
    axis.set_axis_off()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a name in letters that the font lacks
        figure.tight_layout()
        return save_figure(figure, path)
