"""Thumbnails of moments of videos for HTML pages, and links to play them."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

import cv2
from markupsafe import Markup

from ..decoding import UnreadableVideoError
from ..progress import progress_bar
from .gallery import video_strip
from .page import data_uri, render

# MIME types of the files that browsers play.
PLAYABLE = {
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".webm": "video/webm",
    ".ogv": "video/ogg",
}
_NAME = """{% if folder %}<span class="folder">{{ folder }}</span><wbr>{% endif -%}
<span class="file">
{%- for part in parts %}{{ part }}<wbr>{% endfor %}</span>"""
_CARD = """<figure>
{% if strip.source %}<img class="strip" src="{{ strip.source }}" alt="" loading="lazy">
{% else %}<div class="strip">{{ strip.problem }}</div>{% endif %}
{% if badge %}<div class="badge">{{ badge }}</div>{% endif %}
<figcaption>
{% if url and not player %}<a class="name" href="{{ url }}">{{ label }}</a>
{% else %}<span class="name">{{ label }}</span>{% endif %}
{% for line in details %}<span class="details">{{ line }}</span>{% endfor %}</figcaption>
{% if url and player %}<details><summary>Play</summary>
<video controls preload="none" src="{{ url }}"></video></details>{% endif %}
</figure>"""


class Moment(NamedTuple):
    """A part of a video, in seconds."""

    path: Path
    start: float = 0.0
    end: float = math.inf


class Strip(NamedTuple):
    """Frames of a moment as a data URI, or the reason why there are none."""

    source: str
    problem: str = ""


def strips(moments: Sequence[Moment], height: int = 84) -> list[Strip]:
    """Make a JPEG of three frames of each moment, 4 times as wide as high."""

    def strip(moment: Moment) -> Strip:
        try:
            image = video_strip(*moment, height=height, fill=24)
        except (UnreadableVideoError, OSError):
            return Strip("", "unreadable" if os.path.exists(moment.path) else "gone")
        quality = [cv2.IMWRITE_JPEG_QUALITY, 70]
        content = cv2.imencode(".jpg", image[..., ::-1], quality)[1].tobytes()
        return Strip(data_uri("image/jpeg", content))

    # Threads suffice, because decoding and scaling release Python's lock.
    pool = ThreadPoolExecutor(len(os.sched_getaffinity(0)))
    try:
        found = []
        with progress_bar("decoding thumbnails", len(moments)) as advance:
            for result in pool.map(strip, moments):
                found.append(result)
                advance()
        return found
    finally:
        pool.shutdown(cancel_futures=True)


def card(
    name: str,
    details: Sequence[str],
    strip: Strip,
    url: str = "",
    player: bool = False,
    badge: str = "",
) -> Markup:
    """Make a card of a strip with its path and details, and a link or a player for its URL."""
    folder, slash, file = name.rpartition("/")
    label = render(_NAME, folder=folder + slash, parts=re.split("(?<=_)", file))
    url = url if strip.source else ""
    values = dict(label=label, details=details, strip=strip, url=url, player=player, badge=badge)
    return render(_CARD, **values)


def cards(shown: Sequence[Markup], large: bool = False) -> Markup:
    """Arrange cards in rows that fill the width of the page."""
    kind = "moments large" if large else "moments"
    template = '<div class="{{ kind }}">{% for one in shown %}{{ one }}{% endfor %}</div>'
    return render(template, kind=kind, shown=shown)


def span_text(start: float, end: float) -> str:
    """Format a span in seconds."""
    return f"{start:.1f} to {end:.1f} s"


def video_url(moment: Moment, page: Path) -> str:
    """Return the URL of a moment, relative to a page; empty if browsers cannot play the video."""
    if moment.path.suffix.lower() not in PLAYABLE:
        return ""
    url = quote(os.fsencode(os.path.relpath(moment.path, page.parent.resolve())))
    end = "" if moment.end == math.inf else f",{moment.end:g}"
    return f"{url}#t={moment.start:g}{end}" if moment.start or end else url
