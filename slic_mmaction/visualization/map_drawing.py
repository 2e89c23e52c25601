"""Drawing a map: colours of groups, the interactive page and the picture."""

from __future__ import annotations

import html
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from .figure_file import save_figure
from .page import COLOURS, visible

_GREY = "#9aa0a6"
MAP = """<style>
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


class Layer(NamedTuple):
    """Points of the same colour."""

    name: str
    colour: str
    rows: list[int]
    rank: int  # in the legend

    def trace(self, points: np.ndarray) -> dict[str, Any]:
        """Convert the layer to a trace of plotly, which reads names as HTML."""
        name = self.name if len(self.name) <= 32 else f"{self.name[:31]}\u2026"
        return dict(
            type="scatter",
            mode="markers",
            name=html.escape(name),
            x=points[self.rows, 0].round(6).tolist(),
            y=points[self.rows, 1].round(6).tolist(),
            customdata=self.rows,
            hoverinfo="none",
            legendrank=self.rank,
            marker=dict(color=self.colour, size=8 if len(points) <= 1500 else 5, opacity=0.85),
        )


def layers(groups: Sequence[str], color: str) -> list[Layer]:
    """Give the largest groups their own colours, above the others in grey."""
    rows_of: dict[str, list[int]] = {}
    for row, group in enumerate(groups):
        rows_of.setdefault(group, []).append(row)
    sizes = Counter({group: len(rows) for group, rows in rows_of.items() if group != "no cluster"})
    large = sorted(sizes, key=lambda group: (-sizes[group], group))[: len(COLOURS)]
    found = [
        Layer(visible(group), colour, rows_of[group], rank)
        for rank, (group, colour) in enumerate(zip(large, COLOURS))
    ]
    others = [group for group in rows_of if group not in large]
    if others:
        name = visible(others[0])
        if len(others) > 1:
            count = len(others) - ("no cluster" in others)
            name = f"{count} other {color}s" + (" or none" if count < len(others) else "")
        rows = sorted(row for group in others for row in rows_of[group])
        found.insert(0, Layer(name, _GREY, rows, len(large)))
    return found


def map_picture(points: np.ndarray, drawn: Sequence[Layer], title: str, path: Path) -> Path:
    """Draw points (N, 2) in a PNG file, and return its path."""
    figure = Figure(figsize=(11, 8))
    axis = figure.add_subplot()
    size = 22 if len(points) <= 1500 else 8
    dots = {
        layer.rank: axis.scatter(
            points[layer.rows, 0], points[layer.rows, 1], s=size, color=layer.colour, linewidths=0
        )
        for layer in drawn
    }
    ranked = sorted(drawn, key=lambda layer: layer.rank)
    handles = [dots[layer.rank] for layer in ranked]
    legend = axis.legend(
        handles, ["name"] * len(ranked), loc="center left", bbox_to_anchor=(1, 0.5), frameon=False
    )
    for text, layer in zip(legend.get_texts(), ranked):
        text.set(text=layer.name[:32], parse_math=False)
    axis.set_title(title, fontsize=11).set_parse_math(False)
    axis.set_axis_off()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # characters that the font lacks
        figure.tight_layout()
        return save_figure(figure, path)
