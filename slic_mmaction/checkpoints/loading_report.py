"""Comparing the weights of a checkpoint with those of a model, and a table of the result."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO

from rich.console import Console
from rich.table import Table
from torch import Tensor

from .key_maps import unwrapped

#: Number of names shown of each kind.
SHOWN = 3


@dataclass(frozen=True)
class LoadingReport:
    """Comparison of the weights of a checkpoint and a model, by name.

    Attributes:
        sizes: Number of values of each name without ``module.``, the model's if both have it.
        matched: Names in both with the same shape.
        missing: Names that the model has and the checkpoint lacks.
        unexpected: Names, as in the checkpoint, that the model lacks.
        reshaped: Names, as in the checkpoint, whose shapes differ.
    """

    sizes: dict[str, int]
    matched: list[str]
    missing: list[str]
    unexpected: list[str]
    reshaped: list[str]

    @property
    def rejected(self) -> list[str]:
        """Names of the checkpoint that are not loaded."""
        return self.unexpected + self.reshaped

    def matched_share(self, part: str) -> float:
        """Compute the share of a part's values, such as ``backbone``'s, in the checkpoint."""
        matched = sum(self.sizes[name] for name in self.matched if part_of(name) == part)
        lacking = [*self.missing, *map(unwrapped, self.reshaped)]
        absent = sum(self.sizes[name] for name in lacking if part_of(name) == part)
        return matched / (matched + absent) if matched else 0.0


def part_of(name: str) -> str:
    """Return the top-level module of a parameter: ``backbone`` or ``cls_head``."""
    return unwrapped(name).split(".", 1)[0]


def compare_states(checkpoint: Mapping[str, Tensor], model: Mapping[str, Tensor]) -> LoadingReport:
    """Compare a checkpoint's weights with a model's ``state_dict()`` by name and shape.

    The prefix ``module.`` of a name in the checkpoint is ignored, as by MMEngine.
    """
    offered = {unwrapped(name): name for name in checkpoint}
    in_both = [name for name in model if name in offered]
    fits = {name: checkpoint[offered[name]].shape == model[name].shape for name in in_both}
    unexpected = [name for bare, name in offered.items() if bare not in model]
    sizes = {unwrapped(name): checkpoint[name].numel() for name in unexpected}
    sizes.update((name, tensor.numel()) for name, tensor in model.items())
    return LoadingReport(
        sizes=sizes,
        matched=[name for name in in_both if fits[name]],
        missing=[name for name in model if name not in offered],
        unexpected=unexpected,
        reshaped=[offered[name] for name in in_both if not fits[name]],
    )


def report_table(report: LoadingReport, title: str) -> str:
    """Format a report as a table of numbers of names and values, by part of the model and kind."""
    table = Table("part", "kind", "names", "values", "which", title=title, title_justify="left")
    for column in table.columns[2:4]:
        column.justify = "right"
    kinds = {
        "matched": report.matched,
        "missing in the checkpoint": report.missing,
        "unexpected, left out": report.unexpected,
        "other shape, left out": report.reshaped,
    }
    for part in dict.fromkeys(part_of(name) for names in kinds.values() for name in names):
        for kind, names in kinds.items():
            of_part = [name for name in names if part_of(name) == part]
            if not of_part:
                continue
            values = sum(report.sizes[unwrapped(name)] for name in of_part)
            more = ", ..." if len(of_part) > SHOWN else ""
            which = ", ".join(of_part[:SHOWN]) + more
            table.add_row(part, kind, f"{len(of_part)}", f"{values:,}", which)
        table.add_section()
    text = StringIO()
    Console(file=text, width=110).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines())
