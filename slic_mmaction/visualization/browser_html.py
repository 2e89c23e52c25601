"""Search results, clusters and duplicates as HTML for the page in the browser."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import numpy as np
from markupsafe import Markup

from ..collection import Collection, Hit
from ..preparation.options import num_cores
from .collection_pages import (
    Cluster,
    count_of,
    folders_text,
    members,
    ordered_clusters,
    size_text,
)
from .page import render, section, visible
from .thumbnails import PLAYABLE, Moment, Strip, card, cards, span_text, strips

ALL = -1  # all clusters
VIDEOS = 1000  # largest number of videos in a list
_CLUSTERS, _MEMBERS, _GROUPS = 40, 120, 60  # largest numbers shown


class CollectionHtml:
    """HTML of a collection for the page, with numbers of rows instead of file names.

    Args:
        collection: Collection to show. It is read once; later changes need a new start.
    """

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
                count=count_of(len(self.first), "video"),
                folder=str(self.collection.folder),
            )
        )

    def hint(self, text: str = "Drop a clip or choose a video to see what is most like it.") -> str:
        return _shown(render('<section class="note">{{ text }}</section>', text=text))

    def videos(self, part: str = "") -> list[tuple[str, int]]:
        """List names and first rows of videos; of many, those whose path has this part."""
        names = list(self.first)
        if len(names) > VIDEOS:
            names = [name for name in names if part.lower() in name.lower()]
            names = sorted(names, key=lambda name: name != part)[:VIDEOS]
        return [(visible(name), self.first[name]) for name in names]

    def clusters(self) -> list[tuple[str, int]]:
        each = [
            (f"Cluster {one.number}: {size_text(one)}", one.number)
            for one in self.by_number.values()
        ]
        return [("All, those of most videos first", ALL), *each]

    def search(
        self,
        clip: str | None,
        row: int | None,
        start: str | None,
        end: str | None,
        top: int,
    ) -> str:
        """Show the moments most similar to an uploaded clip or, without one, to a row's video."""
        if clip is not None:
            from .. import register

            register()
            query, name, path = clip, Path(clip).name, Path(clip)
        elif row is not None:
            query = name = self.collection.paths[row]
            path = self.collection.folder / query
        else:
            return self.hint()
        try:
            span = [_seconds(text) for text in (start, end)]
            hits = self.collection.search(query, top, *span)
        except (OSError, ValueError, RuntimeError) as error:
            return self.hint(f"Nothing was found: {str(error).replace(str(path), name)}")
        last = math.inf if span[1] is None else span[1]
        whole = span == [None, None]
        details = (
            "the whole video"
            if whole
            else f"from {start or 0} s to {f'{end} s' if end else 'its end'}"
        )
        asked = card(name, [details], strips([Moment(path, span[0] or 0.0, last)])[0])
        return _shown(
            section("Query", cards([asked])),
            section(
                "Most similar",
                cards([self._hit(hit) for hit in hits]),
                note="Best first. Random pairs are moments of different videos of this collection.",
            ),
        )

    def cluster(self, number: int) -> str:
        """Show all windows of a cluster, or those nearest to the mean of the largest ones."""
        if not self.by_number:
            return self.hint("There are no clusters yet: `slic clusters` makes them.")
        if number != ALL:
            one = self.by_number[number]
            rows = one.rows[np.argsort(self.distance[one.rows], kind="stable")][:_MEMBERS]
            note = self._cluster_note(one) + ", those nearest to its mean first"
            if len(rows) < len(one.rows):
                note += f"; {len(rows)} of {len(one.rows)} are shown"
            return _shown(section(f"Cluster {number}", self._cards(rows), note=note))
        parts = []
        for one in list(self.by_number.values())[:_CLUSTERS]:
            nearest, _ = members(one.rows, self.distance, self.video_of)
            parts.append(
                section(
                    f"Cluster {one.number}",
                    self._cards(nearest),
                    note=render(
                        "{{ note }} \u00b7 {{ button }}",
                        note=self._cluster_note(one),
                        button=_button("open", one.number, "show all"),
                    ),
                )
            )
        more = len(self.by_number) - len(parts)
        note = f"{count_of(more, 'smaller cluster')} can be chosen above." if more > 0 else ""
        return _shown(*parts, render('<p class="note">{{ note }}</p>', note=note))

    def duplicates(self) -> str:
        """Show the duplicates that `slic duplicates` has written to the index, if any."""
        file = self.collection.path / "duplicates.csv"
        try:
            with open(file, encoding="utf-8", newline="") as rows:
                found = list(csv.DictReader(rows))
            when = time.strftime("%d %B %Y, %H:%M", time.localtime(file.stat().st_mtime))
        except OSError:
            return self.hint(
                "No search for duplicates yet. The search decodes every video once, which takes "
                "minutes for a thousand videos."
            )
        return self._groups(found, f", according to slic duplicates on {when}")

    def find_duplicates(self) -> str:
        try:
            members = self.collection.duplicates(num_workers=num_cores()).members
        except FileNotFoundError as error:
            return self.hint(str(error))
        return self._groups(
            [{name: str(value) for name, value in one._asdict().items()} for one in members]
        )

    def _groups(self, found: Iterable[Mapping[str, str]], note: str = "") -> str:
        groups: dict[str, list[Markup]] = {}
        for member in found:
            row = self.first.get(member["path"])
            if row is None:
                continue
            details = [
                ("the one to keep" if member["keep"] == "True" else "duplicate")
                + (", mirrored" if member["mirrored"] == "True" else ""),
                f"{member['width']}x{member['height']}, {float(member['seconds']):.1f} s, "
                f"{int(member['bytes']) / 1000:,.0f} kB",
            ]
            groups.setdefault(member["group"], []).append(self._card(row, details))
        if not groups:
            return self.hint(f"There are no near-duplicates{note}.")
        parts = [
            section(f"Group {number}", cards(shown, large=True))
            for number, (_, shown) in enumerate(list(groups.items())[:_GROUPS], start=1)
        ]
        if len(groups) > len(parts):
            note += f"; the {len(parts)} largest are shown"
        note = f"{count_of(len(groups), 'group')} of near-duplicates{note}."
        return _shown(render("<p class='note'>{{ note }}</p>", note=note), *parts)

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
        return f"{size_text(one)}{folders_text(list(dict.fromkeys(names)))}"


def _seconds(text: str | None) -> float | None:
    try:
        return float(text) if text else None
    except ValueError:
        raise ValueError(f"{text!r} is not a number of seconds.") from None


def _button(does: str, number: int, text: str) -> Markup:
    return render(
        '<button type="button" data-does="{{ does }}" data-number="{{ number }}">{{ text }}'
        "</button>",
        does=does,
        number=number,
        text=text,
    )


def _shown(*parts: Markup) -> str:
    """Escape `${}` and `{{}}` in HTML, which gradio would replace; names may contain them."""
    text = render(
        '<div class="slic">{% for part in parts %}{{ part }}{% endfor %}</div>', parts=parts
    )
    return text.replace("{", "&#123;").replace("$", "&#36;")
