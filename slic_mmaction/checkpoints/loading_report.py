"""What of a checkpoint fits a model, and the table that says so."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from io import StringIO

from rich.console import Console
from rich.table import Table
from torch import Tensor

from .key_maps import unwrapped

#: Names shown of each kind.
SHOWN = 3


@dataclass(frozen=True)
class LoadingReport:
    """Names of a model and a checkpoint, compared.

    Attributes:
        sizes: Number of values behind each name, the model's where both have it; without
            ``module.``.
        matched: Names in both, of the same shape.
        missing: Names that the model has and the checkpoint lacks.
        unexpected: Names that the checkpoint has and the model lacks, as the checkpoint
            writes them.
        reshaped: Names in both, of different shapes, as the checkpoint writes them.
    """

    sizes: dict[str, int]
    matched: list[str]
    missing: list[str]
    unexpected: list[str]
    reshaped: list[str]

    @property
    def rejected(self) -> list[str]:
        """Names of the checkpoint that cannot be loaded."""
        return self.unexpected + self.reshaped

    def matched_share(self, part: str) -> float:
        """Share of a part's values, such as ``backbone``'s, that the checkpoint holds."""
        matched = sum(self.sizes[name] for name in self.matched if part_of(name) == part)
        lacking = [*self.missing, *map(unwrapped, self.reshaped)]
        absent = sum(self.sizes[name] for name in lacking if part_of(name) == part)
        return matched / (matched + absent) if matched else 0.0


def part_of(name: str) -> str:
    """The module that a parameter belongs to: ``backbone``, ``cls_head``."""
    return unwrapped(name).split(".", 1)[0]


def compare_states(checkpoint: Mapping[str, Tensor], model: Mapping[str, Tensor]) -> LoadingReport:
    """Compare a checkpoint's weights with a model's ``state_dict()`` by name and shape.

    ``module.`` before a name of the checkpoint is ignored, as MMEngine does.
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
    """One table, as text: by part of the model and kind the numbers of names and of values."""
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
