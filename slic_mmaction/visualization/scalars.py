"""Reading the scalars that MMEngine's ``LocalVisBackend`` has logged."""

from __future__ import annotations

import json
from pathlib import Path

Series = dict[str, dict[float, float]]


def read_scalars(path: str | Path) -> Series:
    """Read the logged scalars of a run: for each name, values by epoch.

    Records of training have an ``epoch`` and are averaged over it. Those of clustering and
    validation have the number of finished epochs as ``step``. An incomplete last line is ignored.

    Args:
        path: A ``scalars.json``, or a work directory with one for each start of a run. If two
            starts have the same epoch, the later one counts.

    Raises:
        ValueError: If there is no such file.

    Examples:
        >>> from slic_mmaction.visualization import read_scalars
        >>> read_scalars("work_dirs/slic_r3d_ucf101")["loss"]
        {1: 2.0, 2: 1.0}
    """
    path = Path(path)
    files = [path] if path.is_file() else sorted(path.glob("*/vis_data/scalars.json"))
    if not files:
        raise ValueError(
            f"There is no scalars.json at {path}: give that file or a work directory of a run "
            "with vis_backends=[dict(type='LocalVisBackend')]."
        )
    series: Series = {}
    for file in files:
        for name, values in _read_file(file).items():
            series.setdefault(name, {}).update(values)
    return {name: dict(sorted(values.items())) for name, values in series.items()}


def _read_file(file: Path) -> Series:
    collected: dict[str, dict[float, list[float]]] = {}
    lines = file.read_text().splitlines(keepends=True)
    if lines and not lines[-1].endswith("\n"):
        lines.pop()  # a line that is being written, or was cut off by a kill
    for line in lines:
        record = json.loads(line)
        epoch = record["epoch"] if "epoch" in record else record["step"]
        for name, value in record.items():
            if isinstance(value, (int, float)) and name not in ("epoch", "step", "iter"):
                collected.setdefault(name, {}).setdefault(epoch, []).append(float(value))
    return {
        name: {epoch: sum(v) / len(v) for epoch, v in values.items()}
        for name, values in collected.items()
    }
