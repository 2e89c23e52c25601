"""The page of a collection in the browser: search, clusters and duplicates, made with gradio."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np
from markupsafe import Markup

from ..collection import Collection, Hit
from .collection_pages import Cluster, count_text, folders_text, members, ordered_clusters
from .page import STYLE, render, section, visible
from .thumbnails import PLAYABLE, Strip, card, cards, span_text

THEME = gr.themes.Default(
    primary_hue="blue",
    neutral_hue="slate",
    font=["system-ui", "sans-serif"],
    font_mono=["ui-monospace", "monospace"],
)
_CLUSTERS, _SHOWN, _MEMBERS, _GROUPS = 40, 6, 120, 60  # shown at once
_ALL = -1  # instead of a cluster
# A click on a card plays it; gradio hears of the buttons only.
_SCRIPT = """
function play(link) {
  const box = document.createElement('dialog'), video = document.createElement('video');
  const name = document.createElement('p'), note = document.createElement('p');
  const close = document.createElement('button');
  const converted = "Browsers cannot play this file, so this is the moment alone, converted and " +
    "without sound.";
  box.className = 'slic player';
  name.textContent = link.textContent;
  note.className = 'note';
  close.textContent = 'Close';
  close.onclick = () => box.close();
  video.controls = video.autoplay = video.loop = true;
  video.src = link.href;
  if (link.pathname.startsWith('/moment/')) note.textContent = converted;
  video.onerror = () => {
    if (video.src.includes('/video/')) {
      note.textContent = converted;
      video.src = link.href.replace('/video/', '/moment/').split('#')[0];
    } else note.textContent = 'This video is gone, has changed or cannot be read.';
  };
  box.append(video, name, note, close);
  box.onclick = event => { if (event.target === box) box.close(); };
  box.onclose = () => { video.pause(); video.removeAttribute('src'); box.remove(); };
  document.body.append(box);
  box.showModal();
}
document.addEventListener('click', event => {
  const figure = event.target.closest('.slic figure');
  if (!figure || event.target.closest('button') || event.ctrlKey || event.metaKey) return;
  event.preventDefault();
  play(figure.querySelector('a.name'));
});
"""
_ON_LOAD = """element.addEventListener('click', event => {
  const button = event.target.closest('button[data-number]');
  if (!button) return;
  const number = Number(button.dataset.number);
  if (button.dataset.does === 'like') trigger('like', { number }); else trigger('open', { number });
});"""
_LOOK = """
.slic { --back: var(--background-fill-secondary); --card: var(--background-fill-primary);
  --text: var(--body-text-color); --faint: var(--body-text-color-subdued);
  --line: var(--border-color-primary); --accent: var(--link-text-color);
  --hole: var(--background-fill-secondary); color: var(--text); font-size: 15px; line-height: 1.5 }
.slic figure { cursor: pointer }
.slic figure:hover .strip, .slic figure:focus-within .strip { outline: 2px solid var(--accent) }
.slic h1, .slic h2 { font-weight: 600; color: inherit }
.slic section.note { max-width: none }
.slic section:first-child { margin-top: 0 }
.slic button { font: inherit; font-size: 13px; color: var(--accent); background: none; border: 0;
  padding: 2px 0; cursor: pointer }
.slic button:hover { text-decoration: underline }
.slic.player { border: 1px solid var(--line); border-radius: 12px; padding: 16px; margin: auto;
  background: var(--card); width: min(860px, calc(100vw - 24px)) }
.slic.player::backdrop { background: #000a }
.slic.player video { width: 100%; max-height: 65vh; margin: 0 0 10px; aspect-ratio: auto }
.slic.player button { float: right; font-size: 15px }
"""
HEAD = f"<style>.slic {{ {STYLE} }}\n{_LOOK}</style><script>{_SCRIPT}</script>"


def browser_page(collection: Collection) -> gr.Blocks:
    """The page, whose videos and thumbnails are asked for by the number of a row.

    Args:
        collection: Read once: what another process changes in it shows after a new start.
    """
    html = _Html(collection)
    with gr.Blocks(title=f"{collection.folder.name} - slic", analytics_enabled=False) as page:
        gr.HTML(html.header(), apply_default_css=False)
        with gr.Tabs() as tabs:
            with gr.Tab("Search", id="search"), gr.Row():
                with gr.Column(scale=1, min_width=280):
                    clip = gr.File(label="Drop a clip", file_types=["video"], height=150)
                    video = gr.Dropdown(html.videos(), value=None, label="or choose a video")
                    with gr.Row():
                        start = gr.Textbox(label="from (s)", placeholder="0", min_width=80)
                        end = gr.Textbox(label="to (s)", placeholder="end", min_width=80)
                    top = gr.Slider(4, 100, 12, step=1, label="Moments to find")
                    button = gr.Button("Search", variant="primary")
                with gr.Column(scale=3, min_width=320):
                    found = gr.HTML(html.hint(), js_on_load=_ON_LOAD, apply_default_css=False)
            with gr.Tab("Clusters", id="clusters"):
                cluster = gr.Dropdown(html.clusters(), value=_ALL, label="Cluster")
                gallery = gr.HTML(html.cluster(_ALL), js_on_load=_ON_LOAD, apply_default_css=False)
            with gr.Tab("Duplicates", id="duplicates"):
                look = gr.Button("Look for duplicates", variant="primary")
                groups = gr.HTML(html.duplicates(), js_on_load=_ON_LOAD, apply_default_css=False)

        asked = ([clip, video, start, end, top], found)
        nothing = [None, None, None]
        clip.upload(lambda: nothing, None, [video, start, end]).then(html.search, *asked)
        video.input(lambda: nothing, None, [clip, start, end]).then(html.search, *asked)
        gr.on([button.click, start.submit, end.submit], html.search, *asked)
        cluster.input(html.cluster, cluster, gallery)
        gallery.open(_number, None, cluster).then(html.cluster, cluster, gallery)
        look.click(html.find_duplicates, None, groups)
        for shown in (found, gallery, groups):
            query = [tabs, clip, video, start, end]
            shown.like(html.query_like, None, query).then(html.search, *asked)
    return page


def _number(event: gr.EventData) -> int:
    return int(event.number)


class _Html:
    """What the page shows."""

    def __init__(self, collection: Collection) -> None:
        self.collection = collection
        self.starts, self.ends = collection.column("start"), collection.column("end")
        names, first, self.video_of = np.unique(
            collection.paths, return_index=True, return_inverse=True
        )
        self.first = {str(name): int(row) for name, row in zip(names, first)}
        self.row_of = {key: row for row, key in enumerate(zip(collection.paths, self.starts))}
        distance = collection.column("distance")
        self.distance = np.nan_to_num(distance.astype(np.float64), nan=0.0)
        ordered = ordered_clusters(collection.column("cluster"), self.distance, self.video_of)
        self.by_number = {one.number: one for one in ordered}

    def header(self) -> str:
        return _shown(
            render(
                "<h1>{{ name }}</h1><p class='note'>{{ count }} in {{ folder }}</p>",
                name=self.collection.folder.name,
                count=count_text(len(self.first), "video"),
                folder=str(self.collection.folder),
            )
        )

    def hint(self, text: str = "Drop a clip or choose a video to see what is most like it.") -> str:
        return _shown(render('<section class="note">{{ text }}</section>', text=text))

    def videos(self) -> list[tuple[str, int]]:
        return [(visible(name), row) for name, row in self.first.items()]

    def clusters(self) -> list[tuple[str, int]]:
        each = [
            (f"Cluster {one.number}: {_size(one)}", one.number) for one in self.by_number.values()
        ]
        return [("All, those of most videos first", _ALL), *each]

    def search(
        self,
        clip: str | None,
        row: int | None,
        start: str | None,
        end: str | None,
        top: int,
    ) -> str:
        """The moments most like an uploaded clip or, without one, the video of a row."""
        if clip is not None:
            from .. import register

            register()
            query, name = clip, Path(clip).name
        elif row is not None:
            query = name = self.collection.paths[row]
        else:
            return self.hint()
        try:
            span = [float(text) if text else None for text in (start, end)]
            hits = self.collection.search(query, top, *span)
        except (OSError, ValueError, RuntimeError) as error:
            return self.hint(f"Nothing was found: {error}")
        return _shown(
            section(
                f"Most similar to {name}",
                cards([self._hit(hit) for hit in hits]),
                note="Best first. Random pairs are moments of different videos of this collection.",
            )
        )

    def query_like(self, event: gr.EventData) -> list[Any]:
        """Set the query to the moment whose button was pressed."""
        row = int(event.number)
        video = self.first[self.collection.paths[row]]
        return [
            gr.Tabs(selected="search"),
            None,
            video,
            f"{self.starts[row]:g}",
            f"{self.ends[row]:g}",
        ]

    def cluster(self, number: int) -> str:
        """All windows of a cluster, or the surest of the largest clusters."""
        if not self.by_number:
            return self.hint("There are no clusters yet: `slic clusters` makes them.")
        if number != _ALL:
            one = self.by_number[number]
            rows = one.rows[np.argsort(self.distance[one.rows], kind="stable")][:_MEMBERS]
            note = self._cluster_note(one) + ", those nearest to its mean first"
            if len(rows) < len(one.rows):
                note += f"; {len(rows)} of {len(one.rows)} are shown"
            return _shown(section(f"Cluster {number}", self._cards(rows), note=note))
        parts = []
        for one in list(self.by_number.values())[:_CLUSTERS]:
            surest, _ = members(one.rows, self.distance, self.video_of)
            parts.append(
                section(
                    f"Cluster {one.number}",
                    self._cards(surest[:_SHOWN]),
                    _button("open", one.number, "Show all"),
                    note=self._cluster_note(one),
                )
            )
        more = len(self.by_number) - len(parts)
        note = f"{count_text(more, 'smaller cluster')} can be chosen above." if more > 0 else ""
        return _shown(*parts, render('<p class="note">{{ note }}</p>', note=note))

    def duplicates(self) -> str:
        """What `slic duplicates` has written into the index, if it has."""
        file = self.collection.path / "duplicates.csv"
        try:
            with open(file, encoding="utf-8", newline="") as rows:
                found = list(csv.DictReader(rows))
            when = time.strftime("%d %B %Y, %H:%M", time.localtime(file.stat().st_mtime))
        except OSError:
            return self.hint(
                "Nobody has looked for duplicates yet. It decodes every video once, which takes "
                "minutes for a thousand videos."
            )
        return self._groups(found, f"as `slic duplicates` found them on {when}")

    def find_duplicates(self) -> str:
        found = [member._asdict() for member in self.collection.duplicates().members]
        return self._groups([{name: str(member[name]) for name in member} for member in found])

    def _groups(self, found: Iterable[Mapping[str, str]], note: str = "") -> str:
        groups: dict[str, list[Markup]] = {}
        for member in found:
            row = self.first.get(member["path"])
            if row is None:
                continue
            details = [
                "the one to keep" if member["keep"] == "True" else "spare",
                f"{member['width']}x{member['height']}, {float(member['seconds']):.1f} s, "
                f"{int(member['bytes']) / 1000:,.0f} kB"
                + ", mirrored"
                * (member["mirrored"] == "True"),
            ]
            groups.setdefault(member["group"], []).append(self._card(row, details))
        if not groups:
            return self.hint("There are no near-duplicates.")
        title = count_text(len(groups), "group") + " of near-duplicates"
        parts = [
            section(f"Group {number}", cards(shown, large=True))
            for number, (_, shown) in enumerate(list(groups.items())[:_GROUPS], start=1)
        ]
        if len(groups) > len(parts):
            note += f"; the {len(parts)} largest are shown"
        return _shown(
            render("<h2>{{ a }}</h2><p class='note'>{{ b }}</p>", a=title, b=note), *parts
        )

    def _hit(self, hit: Hit) -> Markup:
        details = [
            f"{span_text(hit.start, hit.end)} \u00b7 cosine {hit.cosine:.6f}",
            f"closer than {hit.closer_than:.2%} of random pairs",
        ]
        return self._card(self.row_of[hit.path, hit.start], details, str(hit.rank))

    def _cards(self, rows: Sequence[int] | np.ndarray) -> Markup:
        return cards(
            [
                self._card(
                    row,
                    [
                        f"{span_text(self.starts[row], self.ends[row])} \u00b7 "
                        f"distance {self.distance[row]:.4f}"
                    ],
                )
                for row in map(int, rows)
            ]
        )

    def _card(self, row: int, details: list[str], badge: str = "") -> Markup:
        path = self.collection.paths[row]
        url = f"/moment/{row}"
        if Path(path).suffix.lower() in PLAYABLE:
            url = f"/video/{row}#t={self.starts[row]:g},{self.ends[row]:g}"
        like = _button("like", row, "More like this")
        return card(path, [*details, like], Strip(f"/thumbnail/{row}"), url, badge=badge)

    def _cluster_note(self, one: Cluster) -> str:
        names = [self.collection.paths[row] for row in one.rows]
        return f"{_size(one)}{folders_text(list(dict.fromkeys(names)))}"


def _size(one: Cluster) -> str:
    return f"{count_text(len(one.rows), 'window')} of {count_text(len(one.videos), 'video')}"


def _button(does: str, number: int, text: str) -> Markup:
    return render(
        '<button type="button" data-does="{{ does }}" data-number="{{ number }}">{{ text }}'
        "</button>",
        does=does,
        number=number,
        text=text,
    )


def _shown(*parts: Markup) -> str:
    """HTML that gradio shows as it is: it fills in `${}` and `{{}}`, which names may hold."""
    text = render(
        '<div class="slic">{% for part in parts %}{{ part }}{% endfor %}</div>', parts=parts
    )
    return text.replace("{", "&#123;").replace("$", "&#36;")
