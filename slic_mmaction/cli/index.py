"""`slic index`, `slic search` and `slic export`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from .common import (
    Index,
    csv_text,
    open_collection,
    print_table,
    quoted,
    register_components,
    say,
    say_next,
    seconds,
    shown,
)


def index(
    folder: Annotated[Path, typer.Argument(help="Folder of videos, with its subfolders.")],
    checkpoint: Annotated[
        Path | None, typer.Argument(help="Checkpoint, if --with is a config.")
    ] = None,
    network: Annotated[
        Path | None,
        typer.Option("--with", help="Folder of a run, a model.pth, or a recognizer's config."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the index.")] = Path("index"),
    window: Annotated[str | None, typer.Option(help="Length of a window; default: 4s.")] = None,
    stride: Annotated[
        str | None, typer.Option(help="Time between the starts of two windows; default: 2s.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Decoding processes; default: number of cores.")
    ] = None,
) -> None:
    """Embed all videos of a folder, or update an index of it."""
    from ..collection import Collection
    from ..preparation.options import num_cores

    found = None
    if network is not None:
        register_components()
        from ..collection.network import Network

        found = Network.find(network, checkpoint)
    elif not out.is_dir():
        raise ValueError(f"{out} is a new index: give its network by --with.")
    length, step = (None if text is None else seconds(text) for text in (window, stride))
    changes = Collection.index(folder, out, found, length, step, workers or num_cores())
    say(
        f"{out}: {changes.added} videos added, {changes.renewed} renewed, {changes.dropped} "
        f"dropped, {changes.unchanged} unchanged, {len(changes.unreadable)} unreadable"
    )
    for path, reason in list(changes.unreadable.items())[:20]:
        say(f"  {shown(path)}: {shown(reason)}")
    if changes.others:
        from ..preparation.video_files import count_others

        say(f"skipped: {count_others(changes.others)}")
    if not changes.added + changes.renewed + changes.unchanged:
        raise ValueError(f"No video of {folder} can be read, so the index {out} is empty.")
    say_next(f"slic search QUERY --in {quoted(out)}", f"slic clusters --in {quoted(out)}")


def search(
    query: Annotated[str, typer.Argument(help="Video file, or path of a video in the index.")],
    index: Index = Path("index"),
    top: Annotated[int, typer.Option(min=1, help="Number of hits.")] = 10,
    start: Annotated[
        str | None, typer.Option(help="Start of the clip in the query, such as 3.2s.")
    ] = None,
    end: Annotated[str | None, typer.Option(help="End of the clip in the query.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    html: Annotated[
        Path | None, typer.Option(help="Write an HTML page that plays the hits.")
    ] = None,
) -> None:
    """Find the moments most similar to a clip."""
    from ..collection import Hit

    span = [None if moment is None else seconds(moment) for moment in (start, end)]
    collection = open_collection(index)
    if collection.windows_of(query) is None:
        register_components()
    hits = collection.search(query, top, *span)
    rows = [hit._asdict() for hit in hits]
    if html is not None:
        from ..visualization import search_page

        search_page(collection, query, hits, html, *span)
    if as_json:
        print(json.dumps(rows, indent=1))
    elif as_csv:
        print(csv_text(rows, Hit._fields), end="")
    elif not hits:
        say(f"{index} has no video other than {shown(query)}.")
    else:
        print_table(
            f"most similar to {query}",
            [
                {
                    "rank": str(hit.rank),
                    "video": hit.path,
                    "from": f"{hit.start:.1f} s",
                    "to": f"{hit.end:.1f} s",
                    "cosine": f"{hit.cosine:.6f}",
                    "closer than": f"{hit.closer_than:.2%} of random pairs",
                }
                for hit in hits
            ],
        )
        if html is not None:
            say(f"page: {html}")
        say_next(f"slic clusters --in {quoted(index)}", f"slic map --in {quoted(index)}")


def export(
    out: Annotated[Path, typer.Argument(help="NAME.parquet, NAME.csv or NAME.npy.")],
    index: Index = Path("index"),
) -> None:
    """Write all windows and their vectors to a file for other programs."""
    collection = open_collection(index)
    for path in collection.export(out):
        say(f"written: {path}")
