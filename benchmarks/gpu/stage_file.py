"""Figures of one stage in a JSON file, with a Markdown table beside it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from settings import Settings

from slic_mmaction.durable_file import write_text

Result = dict[str, Any]


class StageFile:
    """Figures of a stage by name of the measurement, written to disk at once.

    Raises:
        ValueError: If the file is of another machine or other settings, or not of run.py.
    """

    def __init__(self, folder: Path, stage: str, settings: Settings) -> None:
        kind = settings.device.type + ("_small" if settings.small else "")
        self.path = folder / f"{stage}_{kind}.json"
        self.stage = stage
        self.header = settings.header()
        self.results: dict[str, Result] = {}
        if self.path.exists():
            self._read()

    def is_done(self, name: str) -> bool:
        """Return whether there are figures of a measurement, and it did not fail."""
        return name in self.results and not is_bad(self.results[name])

    def add(self, name: str, result: Result) -> None:
        """Add the figures of a measurement, and write the file."""
        self.results[name] = result
        content = dict(stage=self.stage, machine=self.header, measurements=self.results)
        write_text(self.path, json.dumps(content, indent=1) + "\n")

    def write_table(self, table: str) -> Path:
        """Write a stage's table under a heading, and return the path of the Markdown file."""
        path = self.path.with_suffix(".md")
        machine = ", ".join(f"{key} {value}" for key, value in self.header.items())
        write_text(path, f"# {self.path.stem}\n\n{machine}\n\n{table}\n")
        return path

    def _read(self) -> None:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            before, self.results = content["machine"], content["measurements"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(
                f"{self.path} holds no figures of run.py ({error!r}): move it or choose another "
                "--out."
            ) from error
        differ = [key for key in self.header if before.get(key) != self.header[key]]
        if differ:
            changes = "; ".join(f"{k}: {before.get(k)} -> {self.header[k]}" for k in differ)
            raise ValueError(
                f"{self.path} holds figures of another machine or other settings ({changes}): "
                "choose another --out, or move the file to measure again."
            )


def is_bad(result: Result) -> bool:
    """Return whether a measurement failed or has a wrong result."""
    return "failed" in result or result.get("passed") is False


def markdown(head: list[str], rows: list[list[object]]) -> str:
    """Format a Markdown table; None is a dash, floats have three significant digits."""
    lines = [head, ["---"] * len(head), *([_cell(value) for value in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def left_out(results: dict[str, Result]) -> str:
    """Format a line with the reason for each measurement that was skipped or failed."""
    return "\n".join(
        f"- {name}: {kind}: {result[kind].strip().splitlines()[-1]}"
        for name, result in results.items()
        for kind in ("skipped", "failed")
        if kind in result
    )


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "NO"
    if isinstance(value, float):
        return f"{value:.0f}" if 1000 <= abs(value) < 1e7 else f"{value:.3g}"
    return str(value).replace("|", "\\|").replace("\n", " ")
