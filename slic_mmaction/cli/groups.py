"""`slic clusters`, `slic assign` and `slic duplicates`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ..durable_file import write_text
from .common import (
    Index,
    csv_text,
    open_collection,
    print_table,
    quoted,
    register_components,
    say,
    say_next,
    shown,
)

_GROUPS_SHOWN = 20


def clusters(
    index: Index = Path("index"),
    method: Annotated[
        str,
        typer.Option(
            help="FINCH, KMeans, SphericalKMeans, DBSCAN, OPTICS or AgglomerativeClustering."
        ),
    ] = "FINCH",
    level: Annotated[
        int | None, typer.Option(min=0, help="Level of FINCH, from 0, the finest.")
    ] = None,
    number: Annotated[int | None, typer.Option(min=1, help="Number of clusters.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="CSV, with an HTML page beside it; default: INDEX/clusters.csv."),
    ] = None,
) -> None:
    """Cluster all windows, store the clusters in the index, and write a page of them."""
    out = out or index / "clusters.csv"
    page = out.with_suffix(".html")
    if page == out:
        raise ValueError(f"{out} must be the name of the CSV; the page lies beside it.")
    collection = open_collection(index)
    register_components()
    from ..visualization import cluster_page

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


def assign(
    folder: Annotated[Path, typer.Argument(help="Videos that are not in the index.")],
    index: Index = Path("index"),
    out: Annotated[Path, typer.Option(help="CSV to write.")] = Path("assigned.csv"),
) -> None:
    """Find the cluster that each video of another folder belongs to."""
    from ..preparation.options import num_cores

    collection = open_collection(index)
    register_components()
    assigned = collection.assign(folder, num_cores())
    write_text(out, csv_text([row._asdict() for row in assigned]))
    unknown = [row for row in assigned if not row.known and not row.error]
    say(f"{len(assigned)} videos: {out}")
    say(f"{len(unknown)} of them are not similar to any video of the index:")
    for row in unknown[:20]:
        say(f"  {shown(row.path)} (nearest: {shown(row.nearest)})")
    for row in [row for row in assigned if row.error][:20]:
        say(f"unreadable: {shown(row.path)}: {shown(row.error)}")


def duplicates(
    index: Index = Path("index"),
    neighbors: Annotated[
        int, typer.Option(min=1, help="Number of similar videos to compare each video with.")
    ] = 10,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Decoding processes; default: number of cores.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="CSV; default: INDEX/duplicates.csv.")] = None,
) -> None:
    """Find groups of near-duplicates and the video of each group to keep. No file is deleted."""
    from ..collection.duplicates import Member
    from ..preparation.options import num_cores

    collection = open_collection(index)
    found = collection.duplicates(neighbors, workers or num_cores())
    members, videos = found.members, len(set(collection.paths))
    out = out or index / "duplicates.csv"
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
            say(f"... and {groups - _GROUPS_SHOWN} more groups")
        size = sum(member.bytes for member in spare) / 1e6
        say(f"{len(spare)} videos could be deleted ({size:.1f} MB)")
    else:
        say(f"no near-duplicates among {videos} videos; {found.compared} pairs compared")
    for path, reason in list(found.unreadable.items())[:20]:
        say(f"not compared: {shown(path)}: {shown(reason)}")
    try:
        write_text(out, csv_text([member._asdict() for member in members], Member._fields))
    except OSError as error:
        raise SystemExit(f"slic: {error}") from error
    say(f"written: {out}")
    if spare:
        say("Nothing was deleted. After deleting files, update the index:")
        say_next(f"slic index {quoted(collection.folder)} --out {quoted(index)}")
    else:
        say_next(f"slic clusters --in {quoted(index)}", f"slic map --in {quoted(index)}")
