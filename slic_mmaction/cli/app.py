"""The typer application with all commands of `slic`."""

from __future__ import annotations

import sys

try:
    import typer
except ImportError:
    sys.exit("The command slic needs typer: pip install 'slic-mmaction[collection]'.")

from . import groups, index, pages, training

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Pretrain on a folder of videos; search, cluster, map and deduplicate it.",
)
app.command()(training.pretrain)
app.command()(index.index)
app.command()(index.search)
app.command()(groups.clusters)
app.command()(groups.assign)
app.command()(groups.duplicates)
app.command("map")(pages.draw_map)
app.command()(pages.serve)
app.command()(training.report)
app.command()(index.export)
