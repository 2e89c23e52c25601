"""Convert a checkpoint of an R3D between the names of the authors, MMAction2 and torchvision.

The encoder of a self-supervised VideoMAE is converted to MMAction2's names, too.

    python tools/convert_checkpoint.py model_best.pth.tar slic.pth --to mmaction
    python tools/convert_checkpoint.py epoch_600.pth theirs.pth.tar --to authors
    python tools/convert_checkpoint.py epoch_600.pth backbone.pth --to mmaction --backbone-only
    python tools/convert_checkpoint.py r3d_18-b3b3357e.pth r3d18.pth --to mmaction
    python tools/convert_checkpoint.py videomae.pth vit.pth --to mmaction --backbone-only

The format of the input is detected. Only weights are kept, not the optimizer. The input is read
with weights_only=True, so that code in it is never run. See docs/checkpoints.md.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from slic_mmaction.checkpoints.convert import convert_checkpoint, weights_of
from slic_mmaction.checkpoints.key_maps import FORMATS, OURS
from slic_mmaction.compat.checkpoints import load_from_local
from slic_mmaction.durable_file import durable_file

FILE_WIDTH = 140


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("source", type=Path, help="checkpoint to read")
    parser.add_argument(
        "target", type=Path, help="checkpoint to write; an existing one is replaced"
    )
    parser.add_argument("--to", choices=FORMATS, required=True, help="format of the target")
    parser.add_argument("--backbone-only", action="store_true", help="leave out the head")
    return parser.parse_args(argv)


def names_table(renamed: Mapping[str, str], state: Mapping[str, Tensor], title: str) -> Table:
    """Return a table of the old name, new name and shape of all converted weights."""
    table = Table("from", "to", "shape", title=title, title_justify="left")
    for old, new in renamed.items():
        table.add_row(old, new, "x".join(map(str, state[new].shape)) or "scalar")
    return table


def notes(state: Mapping[str, Tensor], target: str) -> list[str]:
    """Return the settings that a config needs for the weights."""
    stem = state.get("backbone.conv1.conv.weight")
    if target != OURS or stem is None or tuple(stem.shape[2:]) == (7, 7, 7):
        return []
    kernel = tuple(stem.shape[2:])
    return [f"The stem's kernel is {kernel}: set model.backbone.conv1_kernel={kernel}."]


def run(args: argparse.Namespace, console: Console) -> None:
    """Read, convert and write a checkpoint, and print a table of names.

    Raises:
        FileNotFoundError: If there is no such checkpoint.
        ValueError: If it cannot be read or converted, or would be overwritten.
    """
    read = load_from_local(str(args.source), "cpu")
    if args.target.exists() and args.target.samefile(args.source):
        raise ValueError(f"{args.target} is the input: name another file to write.")
    try:
        checkpoint, renamed = convert_checkpoint(read, args.to, args.backbone_only)
    except ValueError as error:
        raise ValueError(f"{args.source}: {error}") from None
    with durable_file(args.target) as file:
        torch.save(checkpoint, file)
    state = checkpoint.get("state_dict", checkpoint)
    console.print(names_table(renamed, state, f"{args.source.name} -> {args.target.name}"))
    values = sum(tensor.numel() for tensor in state.values())
    left_out = len(weights_of(read)) - len(renamed)
    console.print(f"{len(renamed)} names, {values:,} values; {left_out} names left out")
    for note in notes(state, args.to):
        console.print(note, markup=False, highlight=False, soft_wrap=True)


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool. On bad input, print one sentence and exit with code 2."""
    try:
        # Without a terminal, wide enough for two names side by side.
        run(parse_args(argv), Console(width=None if sys.stdout.isatty() else FILE_WIDTH))
    except (OSError, ValueError) as error:
        print(f"{Path(__file__).name}: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
