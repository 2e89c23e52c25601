"""`slic map` and `slic serve`."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from .common import Index, open_collection, quoted, say, say_next


def draw_map(
    index: Index = Path("index"),
    out: Annotated[Path, typer.Option(help="HTML, with a PNG beside it.")] = Path("map.html"),
    color: Annotated[
        str | None, typer.Option(help="cluster or folder; default: clusters if there are any.")
    ] = None,
) -> None:
    """Draw all videos in the plane: what is alike stands together."""
    from ..visualization import map_page

    drawn = map_page(open_collection(index), out, color)
    say(drawn.note)
    say(f"page: {drawn.page}\npicture: {drawn.picture}")
    say_next(f"slic search QUERY --in {quoted(index)}", f"slic clusters --in {quoted(index)}")


def serve(
    index: Index = Path("index"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 7860,
    host: Annotated[
        str, typer.Option(help="Address; any but loopback lets others see the videos.")
    ] = "127.0.0.1",
) -> None:
    """Search, play and look through an index in the browser."""
    from ..visualization.server import serve

    with suppress(KeyboardInterrupt):
        serve(open_collection(index), host, port)
    say("\nStopped.")
    os._exit(0)  # at once, though a thread may still be comparing videos
