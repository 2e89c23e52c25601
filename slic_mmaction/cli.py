"""The command `slic`: from a folder of videos to an answer.

Every command is a thin door to a Python function; what takes long to import is imported by the
command that needs it.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
import shlex
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

try:
    import typer
except ImportError:
    sys.exit("The command slic needs typer: pip install 'slic-mmaction[collection]'.")

from .durable_file import write_text

if TYPE_CHECKING:
    from .collection import Collection

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Pretrain on a folder of videos; search, cluster, look at and deduplicate it.",
)

_GROUPS_SHOWN = 20
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0}
Index = Annotated[Path, typer.Option("--in", help="An index made by `slic index`.")]


def seconds(text: str) -> float:
    """A duration such as ``4s``, ``1.5``, ``250ms``, ``30m`` or ``2h`` in seconds."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    try:
        value = float(number) * _UNITS[text[len(number) :] or "s"]
    except (ValueError, KeyError):
        value = math.nan
    if not 0 <= value < math.inf:
        raise ValueError(f"{text!r} is no duration: write 4s, 250ms, 30m or 2h.")
    return value


@app.command()
def pretrain(
    folder: Annotated[Path, typer.Argument(help="Videos; subfolders count.")],
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("run"),
    backbone: Annotated[
        str | None, typer.Option(help="Of configs/backbones, as slowonly; default: R3D-18.")
    ] = None,
    init: Annotated[str | None, typer.Option(help="Weights to begin with: path or URL.")] = None,
    epochs: Annotated[int | None, typer.Option(min=1, help="Number of epochs.")] = None,
    time: Annotated[
        str | None, typer.Option(help="Train the epochs that fit into this time, as 2h.")
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with this run.")] = False,
) -> None:
    """Pretrain on a folder of videos, without labels."""
    register_components()
    from .pretraining import pretrain

    try:
        model = pretrain(
            folder, out, backbone, init, epochs, None if time is None else seconds(time), resume
        )
    except KeyboardInterrupt:
        options = [] if "--resume" in sys.argv else ["--resume"]
        print(
            f"\nStopped. To go on: {shlex.join(['slic', *sys.argv[1:], *options])}", file=sys.stderr
        )
        sys.exit(130)
    say(f"the network: {model}")
    say_next(
        f"slic index {quoted(folder)} --with {quoted(out)} --out {quoted(out / 'index')}",
        f"slic report {quoted(out)}",
    )


@app.command()
def index(
    folder: Annotated[Path, typer.Argument(help="Videos; subfolders count.")],
    checkpoint: Annotated[
        Path | None, typer.Argument(help="Weights, if --with is a config.")
    ] = None,
    network: Annotated[
        Path | None,
        typer.Option("--with", help="A run's folder, a model.pth, or any recognizer's config."),
    ] = None,
    out: Annotated[Path, typer.Option(help="Folder of the index.")] = Path("index"),
    window: Annotated[str | None, typer.Option(help="Length of a window; default: 4s.")] = None,
    stride: Annotated[
        str | None, typer.Option(help="From one window's start to the next; default: 2s.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Decoding processes; default: cores.")
    ] = None,
) -> None:
    """Embed all videos of a folder, or bring an index up to date with it."""
    from .collection import Collection
    from .preparation.options import num_cores

    found = None
    if network is not None:
        register_components()
        from .collection.network import Network

        found = Network.find(network, checkpoint)
    elif not out.is_dir():
        raise ValueError(f"{out} is a new index: say by which network, with --with.")
    length, step = (None if text is None else seconds(text) for text in (window, stride))
    changes = Collection.index(folder, out, found, length, step, workers or num_cores())
    say(
        f"{out}: {changes.added} videos added, {changes.renewed} renewed, {changes.dropped} "
        f"dropped, {changes.unchanged} unchanged, {len(changes.unreadable)} unreadable"
    )
    for path, reason in list(changes.unreadable.items())[:20]:
        say(f"  {shown(path)}: {shown(reason)}")
    if changes.others:
        from .preparation.video_files import count_others

        say(f"passed over: {count_others(changes.others)}")
    if not changes.added + changes.renewed + changes.unchanged:
        raise ValueError(f"No video of {folder} can be read, so {out} answers nothing.")
    say_next(f"slic search QUERY --in {quoted(out)}", f"slic clusters --in {quoted(out)}")


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="A video file, or an indexed path.")],
    index: Index = Path("index"),
    top: Annotated[int, typer.Option(min=1, help="Number of hits.")] = 10,
    start: Annotated[str | None, typer.Option(help="Only from here, as 3.2s.")] = None,
    end: Annotated[str | None, typer.Option(help="Only until here.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    html: Annotated[Path | None, typer.Option(help="Write a page to see and play them.")] = None,
) -> None:
    """Find the moments most similar to a clip."""
    span = [None if moment is None else seconds(moment) for moment in (start, end)]
    collection = open_collection(index)
    if collection.windows_of(query) is None:
        register_components()
    hits = collection.search(query, top, *span)
    rows = [hit._asdict() for hit in hits]
    if html is not None:
        from .visualization import search_page

        search_page(collection, query, hits, html, *span)
    if as_json:
        print(json.dumps(rows, indent=1))
    elif as_csv:
        print(csv_text(rows), end="")
    elif not hits:
        say(f"{index} holds no video but {shown(query)}.")
    else:
        print_table(
            f"most similar to {query}",
            [
                {
                    "rank": str(hit.rank),
                    "video": hit.path,
                    "from": f"{hit.start:.1f} s",
                    "to": f"{hit.end:.1f} s",
                    "cosine": cosine_text(hit.cosine),
                    "closer than": f"{hit.closer_than:.2%} of random pairs",
                }
                for hit in hits
            ],
        )
        if html is not None:
            say(f"page: {html}")
        say_next(f"slic clusters --in {quoted(index)}", f"slic map --in {quoted(index)}")


@app.command()
def clusters(
    index: Index = Path("index"),
    method: Annotated[
        str, typer.Option(help="Any registered clusterer, as FINCH or KMeans.")
    ] = "FINCH",
    level: Annotated[int | None, typer.Option(min=0, help="Of FINCH; 0 is the finest.")] = None,
    number: Annotated[int | None, typer.Option(min=1, help="Number of clusters.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="CSV, with a page beside it; default: clusters.csv there.")
    ] = None,
) -> None:
    """Cluster all windows, keep the clusters in the index, and show them on a page."""
    out = out or index / "clusters.csv"
    page = out.with_suffix(".html")
    if page == out:
        raise ValueError(f"{out} must be the name of the CSV; the page lies beside it.")
    collection = open_collection(index)
    register_components()
    from .visualization import cluster_page

    options = dict(level=level, num_clusters=number)
    given = {name: value for name, value in options.items() if value is not None}
    default = method == "FINCH" and not given
    labels = collection.cluster(None if default else dict(type=method, **given))
    table = collection.rows.select(["path", "start", "end", "cluster", "distance"])
    write_text(out, csv_text(table.to_pylist()))
    say(f"{len(set(labels.tolist()) - {-1})} clusters of {len(labels)} windows: {out}")
    say(f"page: {cluster_page(collection, page)}")
    if not default:
        config = ", ".join([f'type="{method}"', *(f"{k}={v}" for k, v in given.items())])
        say(f"in a config: clusterer=dict({config})")
    say_next(f"slic assign NEW_FOLDER --in {quoted(index)}", f"slic map --in {quoted(index)}")


@app.command()
def assign(
    folder: Annotated[Path, typer.Argument(help="Videos that are not in the index.")],
    index: Index = Path("index"),
    out: Annotated[Path, typer.Option(help="CSV.")] = Path("assigned.csv"),
) -> None:
    """Find the cluster that each video of another folder belongs to."""
    from .preparation.options import num_cores

    collection = open_collection(index)
    register_components()
    assigned = collection.assign(folder, num_cores())
    write_text(out, csv_text([row._asdict() for row in assigned]))
    unknown = [row for row in assigned if not row.known and not row.error]
    say(f"{len(assigned)} videos: {out}")
    say(f"{len(unknown)} of them are like nothing in the index:")
    for row in unknown[:20]:
        say(f"  {shown(row.path)} (nearest: {shown(row.nearest)})")
    for row in [row for row in assigned if row.error][:20]:
        say(f"unreadable: {shown(row.path)}: {shown(row.error)}")


@app.command("map")
def draw_map(
    index: Index = Path("index"),
    out: Annotated[Path, typer.Option(help="HTML, with a PNG beside it.")] = Path("map.html"),
    color: Annotated[
        str | None, typer.Option(help="cluster or folder; default: clusters if there are any.")
    ] = None,
) -> None:
    """Draw all videos in the plane: what is alike stands together."""
    from .visualization import map_page

    drawn = map_page(open_collection(index), out, color)
    say(drawn.note)
    say(f"page: {drawn.page}\npicture: {drawn.picture}")
    say_next(f"slic search QUERY --in {quoted(index)}", f"slic clusters --in {quoted(index)}")


@app.command()
def report(
    run: Annotated[Path, typer.Argument(help="Folder of `slic pretrain`, or any work directory.")],
    out: Annotated[Path, typer.Option(help="HTML.")] = Path("report.html"),
) -> None:
    """Write a page of a training: curves, clusters, results, config, commands."""
    register_components()
    from .visualization.training_report import training_report

    say(f"page: {training_report(run, out)}")
    say_next(f"slic index FOLDER --with {quoted(run)}")


@app.command()
def duplicates(
    index: Index = Path("index"),
    neighbors: Annotated[
        int, typer.Option(min=1, help="How many similar videos each is compared with.")
    ] = 10,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Decoding processes; default: cores.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="CSV; default: duplicates.csv there.")] = None,
) -> None:
    """Find groups of near-duplicates, and which of each to keep. No file is deleted."""
    from .collection.duplicates import Member
    from .preparation.options import num_cores

    collection = open_collection(index)
    found = collection.duplicates(neighbors, workers or num_cores())
    members, videos = found.members, len(set(collection.paths))
    out = out or index / "duplicates.csv"
    rows = [member._asdict() for member in members]
    write_text(out, csv_text(rows) or ",".join(Member._fields) + "\n")
    groups = len({member.group for member in members})
    spare = [member for member in members if not member.keep]
    shown_rows = [
        {
            "group": str(member.group) if member.keep else "",
            "": "keep" if member.keep else "",
            "video": member.path,
            "size": f"{member.width}x{member.height}",
            "length": f"{member.seconds:.1f} s",
            "kB": f"{member.bytes / 1000:.0f}",
            "agreement": f"{member.agreement:.3f}" + " mirrored" * member.mirrored,
            "with": member.agrees_with,
        }
        for member in members
        if member.group < _GROUPS_SHOWN
    ]
    if members:
        print_table(f"{groups} groups of near-duplicates among {videos} videos", shown_rows)
        if groups > _GROUPS_SHOWN:
            say(f"... and {groups - _GROUPS_SHOWN} groups more")
        size = sum(member.bytes for member in spare) / 1e6
        say(f"{len(spare)} videos could go ({size:.1f} MB); all groups: {out}")
    else:
        say(f"no near-duplicates among {videos} videos; {found.compared} pairs compared: {out}")
    for path, reason in list(found.unreadable.items())[:20]:
        say(f"not compared: {shown(path)}: {shown(reason)}")
    if spare:
        say("Nothing was deleted. Once you have deleted what you do not want:")
        say_next(f"slic index {quoted(collection.folder)} --out {quoted(index)}")
    else:
        say_next(f"slic clusters --in {quoted(index)}", f"slic map --in {quoted(index)}")


@app.command()
def export(
    out: Annotated[Path, typer.Argument(help="NAME.parquet, NAME.csv or NAME.npy.")],
    index: Index = Path("index"),
) -> None:
    """Write all windows for other programs."""
    collection = open_collection(index)
    for path in collection.export(out):
        say(f"written: {path}")


@app.command()
def serve(
    index: Index = Path("index"),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0: a free one.")] = 7860,
    host: Annotated[
        str, typer.Option(help="Address; any but loopback lets others see the videos.")
    ] = "127.0.0.1",
) -> None:
    """Search, play and look through an index in the browser."""
    from .visualization.server import serve

    with suppress(KeyboardInterrupt):
        serve(open_collection(index), host, port)
    say("\nStopped.")
    os._exit(0)  # at once, though a thread may still be comparing videos


def open_collection(path: Path) -> Collection:
    """The collection at a path."""
    from .collection import Collection

    return Collection(path)


def register_components() -> None:
    """Import torch, MMAction2 and all components, which takes seconds."""
    from . import register

    register()


def shown(text: str) -> str:
    """Text without line ends and control characters, for one line of a terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def quoted(path: Path) -> str:
    """A path in a command line."""
    return shlex.quote(str(path))


def say(text: str) -> None:
    """Print a line."""
    print(text, flush=True)


def say_next(*commands: str) -> None:
    """Name the commands that make sense now."""
    say("next: " + "\n      ".join(commands))


def cosine_text(cosine: float) -> str:
    """Enough digits to tell two high cosines apart."""
    return f"{cosine:.6f}"


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV with a header; bytes of names that are no UTF-8 as ``\\xNN``."""
    from .preparation.video_files import printable

    text = io.StringIO()
    if rows:
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return printable(text.getvalue())


def print_table(title: str, rows: Iterable[Mapping[str, str]]) -> None:
    """Print a table as wide as it must be."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    rows = list(rows)
    table = Table(title=Text(shown(title)), box=None, pad_edge=False, title_justify="left")
    for name in rows[0] if rows else ():
        table.add_column(name, overflow="fold")
    for row in rows:
        table.add_row(*(Text(shown(value)) for value in row.values()))
    console = Console()
    Console(width=None if console.is_terminal else 200).print(table)


def main() -> NoReturn:
    """Run the command; bad input ends with one sentence and exit code 2."""
    try:
        app()
    except (OSError, ValueError, ImportError, RuntimeError) as error:
        print(f"slic: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except KeyboardInterrupt:
        print("\nStopped. To go on: the same command.", file=sys.stderr)
        sys.exit(130)
    sys.exit(0)


if __name__ == "__main__":
    main()
