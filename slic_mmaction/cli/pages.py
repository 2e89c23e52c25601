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
    out: Annotated[Path, typer.Option(help="HTML page, with a PNG beside it.")] = Path("map.html"),
    color: Annotated[
        str | None, typer.Option(help="Color by cluster or folder; default: cluster if clustered.")
    ] = None,
) -> None:
    """Draw a map of all videos: similar videos are close to each other."""
    from ..visualization import map_page

    drawn = map_page(open_collection(index), out, color)
    say(drawn.note)
    say(f"page: {drawn.page}\npicture: {drawn.picture}")
    say_next(f"slic search QUERY --in {quoted(index)}", f"slic clusters --in {quoted(index)}")


def serve(
    index: Index = Path("index"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 chooses a free one.")] = 7860,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen on. With any other than 127.0.0.1, others can see the videos."
        ),
    ] = "127.0.0.1",
) -> None:
    """Search, play and browse an index in a web browser."""
    from ..visualization.server import serve

    with suppress(KeyboardInterrupt):
        serve(open_collection(index), host, port)
    say("\nStopped.")
    os._exit(0)  # without waiting for a thread that compares videos
