"""Rows of a table of results: mean and spread over seeds, and the mean of three splits."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, stdev
from typing import Callable, Optional

from .columns import Column
from .run import Result

SPLITS = ("1", "2", "3")
MEAN_OF_SPLITS = "mean of 1-3"
Seeds = tuple[Optional[int], ...]


@dataclass(frozen=True)
class Cell:
    """One number of a row.

    Attributes:
        mean: Over seeds.
        spread: Sample standard deviation over seeds, None for one.
        values: Each seed's value.
    """

    mean: float
    spread: float | None
    values: dict[Seeds, float]


@dataclass(frozen=True)
class Row:
    """What the same training reached on the same videos.

    Attributes:
        method: Names of the trained runs, in order.
        hashes: Hashes of their configs.
        epoch: Epochs of the last of them.
        data: Data set.
        split: Its split, or :data:`MEAN_OF_SPLITS`.
        videos: Number of videos.
        commits: Code of all runs.
        cells: Numbers by column.
        results: What they were made of; those of its splits for a mean.
    """

    method: tuple[str, ...]
    hashes: tuple[str, ...]
    epoch: int | None
    data: str
    split: str
    videos: int | None
    commits: tuple[str, ...]
    cells: dict[Column, Cell]
    results: tuple[Result, ...]


def make_rows(results: Sequence[Result], columns: Sequence[Column]) -> list[Row]:
    """Group results into rows, and add the mean of splits 1 to 3 where all are there.

    Args:
        results (Sequence[Result]): What was read.
        columns (Sequence[Column]): Which of it is shown.
    """
    shown = [result for result in results if Column(result.protocol, result.metric) in columns]
    rows = [_row(group) for group in _grouped(shown, _training_and_videos)]
    return rows + [
        mean
        for group in _grouped(shown, _training_but_for_the_split)
        if (mean := _mean_of_splits(group)) is not None
    ]


def _grouped(results: Iterable[Result], key: Callable[[Result], Hashable]) -> list[list[Result]]:
    groups: dict[Hashable, list[Result]] = {}
    for result in results:
        groups.setdefault(key(result), []).append(result)
    return list(groups.values())


def _training_and_videos(result: Result) -> tuple:
    r = result
    return r.method, r.hashes, r.epoch, r.data, r.split, r.videos


def _training_but_for_the_split(result: Result) -> tuple:
    return result.families, result.epoch, result.data


def _row(results: Sequence[Result]) -> Row:
    cells = {
        Column(group[0].protocol, group[0].metric): _cell(_by_seeds(group))
        for group in _grouped(results, lambda r: (r.protocol, r.metric))
    }
    first = results[0]
    return Row(
        method=first.method,
        hashes=first.hashes,
        epoch=first.epoch,
        data=first.data,
        split=first.split,
        videos=first.videos,
        commits=tuple(dict.fromkeys(c for result in results for c in result.commits)),
        cells=cells,
        results=tuple(results),
    )


def _by_seeds(results: Iterable[Result]) -> dict[Seeds, float]:
    """Values by seeds; of two runs with the same ones the later counts."""
    return {r.seeds: r.value for r in sorted(results, key=lambda r: r.folder.split("/")[-1])}


def _cell(values: dict[Seeds, float]) -> Cell:
    numbers = list(values.values())
    return Cell(fmean(numbers), stdev(numbers) if len(numbers) > 1 else None, values)


def _mean_of_splits(results: Sequence[Result]) -> Row | None:
    cells = {}
    for group in _grouped(results, lambda r: (r.protocol, r.metric)):
        by_split = [_by_seeds(r for r in group if r.split == split) for split in SPLITS]
        # Seeds that all three splits have, so that the mean is of whole triples.
        common = [seeds for seeds in by_split[0] if all(seeds in split for split in by_split)]
        if common:
            means = {seeds: fmean(split[seeds] for split in by_split) for seeds in common}
            cells[Column(group[0].protocol, group[0].metric)] = _cell(means)
    if not cells:
        return None
    row = _row([r for r in results if r.split in SPLITS])
    return Row(
        method=tuple(name.replace("_split2", "").replace("_split3", "") for name in row.method),
        hashes=("-",),
        epoch=row.epoch,
        data=row.data,
        split=MEAN_OF_SPLITS,
        videos=None,
        commits=row.commits,
        cells=cells,
        results=row.results,
    )
