"""HTML page of a training, with its curves, clusters, results and commands."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from markupsafe import Markup

from ..clustering.quality import size_bins
from ..datasets.videos import relative_path
from ..progress import duration
from .charts import charts_of
from .cluster_flows import Clustering, flow_picture, flow_rows
from .page import count_of, facts, render, section, table, visible, write_page
from .results import results
from .run_folder import Run, read_run
from .run_summary import commands, sentences
from .thumbnails import Moment, card, cards, strips, video_url

_CLUSTERS, _VIDEOS = 12, 6
_STYLE = """<style>
.charts { display: grid; gap: 24px 28px;
  grid-template-columns: repeat(auto-fill, minmax(min(350px, 100%), 1fr)) }
.chart { display: flex; flex-direction: column } .chart svg { display: block; width: 100%;
  height: auto; margin-top: auto } .chart text { font-family: inherit }
.chart figcaption { margin: 0 0 6px } .chart figcaption > b { display: block; font-size: 14px }
.key { margin-right: 12px; color: var(--faint); white-space: nowrap }
.key b { color: var(--text); font-variant-numeric: tabular-nums }
.key i { display: inline-block; width: 14px; height: 3px; border-radius: 2px;
  vertical-align: middle; margin-right: 4px }
.moments { gap: 12px 14px;
  grid-template-columns: repeat(auto-fill, minmax(min(170px, 45%), 1fr)) }
.flows { display: block; width: 100%; min-width: 640px; font-size: 11.5px }
.flows text { fill: var(--text) } .flows path { opacity: .38 } .flows path:hover { opacity: .75 }
.flows .head { font-size: 13px; font-weight: 600 } .flows .sub { fill: var(--faint) }
.wide th, .wide td { overflow-wrap: break-word }
.went td:last-child { min-width: 200px }
.pairs { display: grid; gap: 10px 28px; margin: 0;
  grid-template-columns: repeat(auto-fill, minmax(min(230px, 100%), 1fr)) }
.pairs dt { color: var(--faint); font-size: 13px } .pairs dd { margin: 0; overflow-wrap: anywhere }
.bars { display: grid; grid-template-columns: max-content 1fr max-content; gap: 4px 12px;
  align-items: center; max-width: 560px; font-variant-numeric: tabular-nums }
.bars span:nth-child(3n + 1) { color: var(--faint) }
.bars i { display: block; height: 14px; border-radius: 3px; background: var(--accent);
  min-width: 1px }
</style>"""


def training_report(run: str | Path, path: str | Path) -> Path:
    """Write an HTML page with the curves, clusters, results, config and commands of a training.

    Args:
        run: Folder of ``slic pretrain``, or work directory of a SLIC config. The training may be
            unfinished.
        path: Path of the HTML file.

    Returns:
        Path of the HTML file.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If the folder has no training.
    """
    path, found = Path(path), read_run(run)
    # Configs of `slic pretrain` all have the same name; the folder's name identifies the run.
    named = found.config_file if found.folder == found.work_dir else None
    title = f"Training: {named.stem if named else found.folder.resolve().name}"
    if found.begun:
        title += f", {found.begun:%Y-%m-%d %H:%M}"
    parts = [Markup(_STYLE), facts(_figures(found)), *_sections(found, path)]
    return write_page(path, title, sentences(found), parts)


def _sections(run: Run, page: Path) -> Iterator[Markup]:
    validated = [r for r in run.evaluations if r.get("part") == "val"]
    charts = charts_of(run.series, validated[-1].get("chance", {}) if validated else {})
    if charts:
        body = render('<div class="charts">{% for c in charts %}{{ c }}{% endfor %}</div>',
                      charts=charts)  # fmt: skip
        yield section("Curves", body, note="By epoch, with the last value.")
    if run.evaluations:
        yield section(
            "Results",
            *results(run),
            note="Figures of different protocols must not be compared. Chance is the result of a "
            "random order of the gallery, or of guessing a class.",
        )
    if run.clusterings:
        yield from _cluster_sections(run, page)
    if run.environment:
        pairs = render(
            '<dl class="pairs">{% for name, value in pairs.items() %}'
            "<div><dt>{{ name }}</dt><dd>{{ value }}</dd></div>{% endfor %}</dl>",
            pairs=run.environment,
        )
        yield section("Environment", pairs, note="Of the last start.")
    yield section("Commands", _code("\n".join(commands(run))), note="To continue from here.")
    if run.config_text:
        text = render(
            "<details><summary>Show the config</summary>{{ text }}</details>",
            text=_code(run.config_text),
        )
        yield section("Config", text, note="The config of the last start.")


def _cluster_sections(run: Run, page: Path) -> Iterator[Markup]:
    last = run.clusterings[-1]
    if len(run.clusterings) > 1:
        before = run.clusterings[-2]
        yield section(
            "How clusters split and merge",
            flow_picture(run.clusterings),
            render(
                "<h3>where the videos went from before epoch {{ a }} to before epoch {{ b }}</h3>",
                a=before.epoch + 1,
                b=last.epoch + 1,
            ),
            render('<div class="went">{{ rows }}</div>', rows=table(flow_rows(before, last))),
            note="The 15 largest clusters of each clustering: number \u00b7 videos. Two clusters "
            "have the same colour if each shares most videos with the other. All others are grey "
            "and not to scale.",
        )
    bins = {name: count for name, count in size_bins(last.labels).items() if count}
    if bins:
        note = f"The last clustering, before epoch {last.epoch + 1}: clusters by number of videos."
        yield section("Sizes of clusters", _bars(bins), note=note)
        yield section(
            "Largest clusters",
            *_gallery(run, last, page),
            note=f"At most {_CLUSTERS} clusters of the last clustering, with at most {_VIDEOS} "
            "videos each, evenly chosen from all by path.",
        )


def _gallery(run: Run, last: Clustering, page: Path) -> Iterator[Markup]:
    found, counts = np.unique(last.labels[last.labels >= 0], return_counts=True)
    largest = found[np.lexsort((found, -counts))[:_CLUSTERS]].tolist()
    chosen: dict[int, list[str]] = {}
    for cluster in largest:
        paths = np.sort(last.videos[last.labels == cluster])
        some = np.linspace(0, len(paths) - 1, min(_VIDEOS, len(paths))).round().astype(int)
        chosen[cluster] = paths[some].tolist()
    moments = {name: Moment(run.find(name)) for names in chosen.values() for name in names}
    images = dict(zip(moments, strips(list(moments.values()), height=72)))
    for cluster, names in chosen.items():
        size = int(counts[found == cluster][0])
        yield render(
            "<h3>cluster {{ k }} \u00b7 {{ n }}</h3>", k=cluster, n=count_of(size, "video")
        )
        yield cards(
            [
                card(
                    relative_path(name, run.videos_folder),
                    [],
                    images[name],
                    "" if images[name].problem else video_url(moments[name], page),
                )
                for name in names
            ]
        )


def _figures(run: Run) -> dict[str, object]:
    figures: dict[str, object] = {}
    if run.clusterings:
        figures["videos"] = len(run.clusterings[-1].labels)
    planned = "" if run.max_epochs is None else f" of {run.max_epochs}"
    figures["epochs"] = f"{run.epoch}{planned}"
    figures["time"] = duration(run.seconds)
    losses = list(run.series.get("loss", {}).values())
    if losses:
        ends = losses[:1] + losses[1:][-1:]
        figures["loss"] = " \u2192 ".join(f"{loss:.3g}" for loss in ends)
    for name in ("clusters", "stability"):
        values = list(run.series.get(f"cluster/{name}", {}).values())
        if values:
            figures[name] = f"{values[-1]:.3g}" if name == "stability" else f"{values[-1]:.0f}"
    return figures


def _bars(bins: Mapping[str, int]) -> Markup:
    return render(
        '<div class="bars">{% for name, count in bins.items() %}<span>{{ name }}</span>'
        '<i style="width: {{ 100 * count / most }}%"></i><span>{{ count }}</span>'
        "{% endfor %}</div>",
        bins=bins,
        most=max(bins.values()),
    )


def _code(text: str) -> Markup:
    """Format text with its lines, escaping other control characters."""
    lines = Markup("\n").join(visible(line.expandtabs()) for line in text.split("\n"))
    return render("<pre>{{ lines }}</pre>", lines=lines)
