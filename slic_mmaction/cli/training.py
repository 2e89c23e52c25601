"""`slic pretrain` and `slic report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .common import quoted, register_components, say, say_next, seconds


def pretrain(
    folder: Annotated[Path, typer.Argument(help="Folder of videos, with its subfolders.")],
    out: Annotated[Path, typer.Option(help="Folder of the run.")] = Path("run"),
    backbone: Annotated[
        str | None,
        typer.Option(help="Name in configs/backbones, such as slowonly; default: R3D-18."),
    ] = None,
    init: Annotated[str | None, typer.Option(help="Path or URL of initial weights.")] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1, help="Number of epochs; default: 40 on a CPU, 600 on a GPU, 10 with --init."
        ),
    ] = None,
    time: Annotated[
        str | None, typer.Option(help="Time limit, such as 2h, instead of a number of epochs.")
    ] = None,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Continue the run in --out with its config; --epochs may be given."
        ),
    ] = False,
) -> None:
    """Pretrain on a folder of videos, without labels."""
    register_components()
    from ..pretraining import pretrain

    model = pretrain(
        folder, out, backbone, init, epochs, None if time is None else seconds(time), resume
    )
    say(f"network: {model}")
    say_next(
        f"slic index {quoted(folder)} --with {quoted(out)} --out {quoted(out / 'index')}",
        f"slic report {quoted(out)}",
    )


def report(
    run: Annotated[Path, typer.Argument(help="Folder of `slic pretrain`, or a work directory.")],
    out: Annotated[Path, typer.Option(help="HTML page to write.")] = Path("report.html"),
) -> None:
    """Write a page about a training: curves, clusters, results, config and commands."""
    register_components()
    from ..visualization.training_report import training_report

    say(f"page: {training_report(run, out)}")
    say_next(f"slic index FOLDER --with {quoted(run)}")
