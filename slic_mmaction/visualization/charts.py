"""Small line charts of a run within a page, in the colours of its theme."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Mapping
from typing import NamedTuple

import matplotlib
from markupsafe import Markup
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from .page import COLOURS, render
from .scalars import Series

# Placeholders in the picture for the colours of the page.
_TEXT, _GRID = "#010203", "#030201"
_FEW = 25  # largest number of points with marks
_PANELS = {
    "Spread of embeddings": "0: all alike; about 1: they point everywhere",
    "Learning rate": "",
    "Clusters": "",
    "Videos in a cluster": "",
    "Stability": "agreement with the clustering before: 1 if nothing changed, about 0 by chance",
    "Clusters against true classes": "only to look at; training does not know them",
}
_SCALARS = {
    "lr": ("Learning rate", "learning rate"),
    "cluster/clusters": ("Clusters", "clusters"),
    "cluster/largest": ("Videos in a cluster", "largest"),
    "cluster/median": ("Videos in a cluster", "median"),
    "cluster/stability": ("Stability", "adjusted Rand index"),
    "cluster/nmi": ("Clusters against true classes", "NMI"),
    "cluster/ami": ("Clusters against true classes", "AMI"),
    "cluster/purity": ("Clusters against true classes", "purity"),
}
_METRIC = re.compile(r"R@(1|5|10)|mAP|top[15]")
_CHART = """<figure class="chart"><figcaption><b>{{ title }}</b>
{% for line in lines %}<span class="key"><i style="background: {{ line.colour }}"></i>
{{ line.label }} <b>{{ line.last }}</b></span>{% endfor %}
{% if dashed %}<span class="key">dashed: chance</span>{% endif %}
{% if note %}<span class="details">{{ note }}</span>{% endif %}</figcaption>{{ svg }}</figure>"""


class Line(NamedTuple):
    """A line of a chart: its values by epoch, and the chance level."""

    label: str
    values: Mapping[float, float]
    chance: float | None = None


def charts_of(series: Series, chance: Mapping[str, float]) -> list[Markup]:
    """Draw a chart for each kind of scalars that a run has logged more than once.

    Args:
        series: Scalars by name and epoch.
        chance: Chance level by the name of a scalar.
    """
    panels: dict[str, list[Line]] = {}

    def add(title: str, label: str, key: str) -> None:
        panels.setdefault(title, []).append(Line(label, series[key], chance.get(key)))

    losses = [name for name in series if name.startswith("loss")]
    for name in sorted(losses, key=lambda name: (name != "loss", name)):
        add("Loss", "sum" if name == "loss" else name[5:].replace("_", " "), name)
    if "mean_cosine" in series:
        spread = {epoch: 1 - value for epoch, value in series["mean_cosine"].items()}
        panels["Spread of embeddings"] = [Line("spread", spread)]
    for name, (title, label) in _SCALARS.items():
        if name in series:
            add(title, label, name)
    for name in series:
        kind, _, metric = name.rpartition("/")
        if _METRIC.fullmatch(metric) and kind:
            add(f"{kind[:1].upper()}{kind[1:]} (%)", metric, name)
    return [
        _chart(title, lines, _PANELS.get(title, ""))
        for title, lines in panels.items()
        if max(len(line.values) for line in lines) > 1
    ]


def _chart(title: str, lines: list[Line], note: str) -> Markup:
    figure = Figure(figsize=(4.6, 2.3))
    axis = figure.add_axes((0.105, 0.14, 0.875, 0.82))
    for line, colour in zip(lines, COLOURS):
        epochs, values = list(line.values), list(line.values.values())
        mark = "o" if len(epochs) <= _FEW else None
        axis.plot(epochs, values, color=colour, linewidth=1.8, marker=mark, markersize=3.5)
        if line.chance is not None:
            axis.axhline(line.chance, color=colour, linewidth=1.2, linestyle=(0, (4, 3)), alpha=0.8)
    finite = [v for line in lines for v in line.values.values() if math.isfinite(v)]
    if min(finite, default=-1) >= 0:
        axis.set_ylim(bottom=0)
    axis.margins(x=0.02)
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True, min_n_ticks=1))
    whole = all(v == round(v) for v in finite)
    axis.yaxis.set_major_locator(MaxNLocator(4, integer=whole))
    axis.tick_params(labelsize=9, color=_GRID, labelcolor=_TEXT, length=0)
    axis.grid(color=_GRID, linewidth=0.8)
    axis.set_axisbelow(True)
    for side, spine in axis.spines.items():
        spine.set(color=_GRID, visible=side == "bottom")
    labels = [
        dict(label=line.label, colour=colour, last=f"{list(line.values.values())[-1]:.4g}")
        for line, colour in zip(lines, COLOURS)
    ]
    dashed = any(line.chance is not None for line in lines)
    about = dict(title=title, lines=labels, dashed=dashed, note=note)
    return render(_CHART, svg=_svg(figure), **about)


def _svg(figure: Figure) -> Markup:
    """Convert a figure to SVG with the width and the colours of the page."""
    file = io.StringIO()
    nothing = dict.fromkeys(("Date", "Creator", "Format", "Type"))
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": "slic"}):
        figure.savefig(file, format="svg", transparent=True, metadata=nothing)
    text = file.getvalue()
    text = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", text[text.index("<svg") :])
    text = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", text)
    text = re.sub(r"<(metadata|style)\b.*?</\1>", "", text, flags=re.DOTALL)
    text = re.sub(r"font: ([^;\"]*?)px [^;\"]*", r"font-size: \1px", text)
    return Markup(text.replace(_TEXT, "var(--faint)").replace(_GRID, "var(--line)"))
