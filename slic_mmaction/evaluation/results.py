"""Figures of an evaluation with their chance levels, and their printed form."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from io import StringIO
from itertools import takewhile
from typing import Any, NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table
from scipy.stats import hypergeom

from .protocols import name_in_keys

_SETTINGS = ("lr", "weight_decay", "val_top1")  # values that a linear probe chooses, not results


def chance_level(metric: str, query: Counter[int], gallery: Counter[int]) -> float | None:
    """Compute the mean of a metric, in percent, over random rankings of the gallery.

    Args:
        metric: Name such as ``R@5``, ``mAP``, ``top1`` or ``mean1``.
        query: Number of queries of each class.
        gallery: Number of gallery videos of each class.

    Returns:
        The chance level; None for other metrics. For ``topK`` and ``mean1``, it is the accuracy
        of guessing every class with equal probability.
    """
    total, kind, number = sum(gallery.values()), metric[:2], metric[metric.find("@") + 1 :]
    if not total or not query:
        return None
    if metric == "mAP":
        # Mean precision at the ranks of the R correct videos, over all orders.
        harmonic = float((1 / np.arange(1, total + 1)).sum())
        level = {
            c: (harmonic + (right - 1) / max(1, total - 1) * (total - harmonic)) / total
            for c, right in gallery.items()
        }
    elif kind == "R@" and number.isdecimal():
        k = min(int(number), total)
        level = {c: float(hypergeom.sf(0, total, right, k)) for c, right in gallery.items()}
    elif guessed := re.fullmatch(r"(?:top|mean)(\d+)", metric):
        return 100 * min(1.0, int(guessed[1]) / len(gallery))
    else:
        return None
    share = sum(count * level.get(c, 0.0) for c, count in query.items()) / sum(query.values())
    return 100 * share


def chance_levels(
    figures: Mapping[str, float], query: Counter[int], gallery: Counter[int]
) -> dict[str, float]:
    """Compute the :func:`chance_level` of all figures that have one, by their names."""
    levels = {key: chance_level(key.rpartition("/")[2], query, gallery) for key in figures}
    return {key: level for key, level in levels.items() if level is not None}


class Result(NamedTuple):
    """A figure and its chance level, in percent."""

    name: str
    value: float
    chance: float | None

    def __str__(self) -> str:
        chance = "" if self.chance is None else f" (chance {self.chance:.1f} %)"
        return f"{self.name} {self.value:.1f} %{chance}"


def results_of(record: Mapping[str, Any]) -> Iterator[Result]:
    """Yield the results in a record of :func:`records.evaluation_of`, with short names."""
    # MMAction2's accuracies are shares.
    scale = 1 if "name" in record else 100
    kind, chance = kind_of(record), record.get("chance", {})
    protocol = f"{name_in_keys(record['name'])}/" if "name" in record else ""
    for key, value in record["figures"].items():
        if key.rpartition("/")[2] not in _SETTINGS:
            name = key.removeprefix(f"{kind}/").replace(protocol, "").replace("/", " ")
            level = chance.get(key)
            yield Result(name, scale * value, None if level is None else scale * level)


def kind_of(record: Mapping[str, Any]) -> str:
    """Return the common prefix of the figures' names, such as ``finetune/center``."""
    parents = [key.split("/")[:-1] for key in record["figures"]]
    common = list(takewhile(lambda names: len(set(names)) == 1, zip(*parents)))
    return "/".join(names[0] for names in common[: 1 if "name" in record else None])


def measured_on(record: Mapping[str, Any]) -> str:
    """Describe the evaluated videos, such as ``230 queries in 571 gallery videos``."""
    if "query" in record:
        sizes = record["query"]["videos"], record["gallery"]["videos"]
        return "{} queries in {} gallery videos".format(*sizes)
    return f"{record['videos']['videos']} videos" if "videos" in record else ""


def results_table(record: Mapping[str, Any]) -> str:
    """Format a table of results and chance levels as text."""
    protocol = f" (protocol {record['name']})" if "name" in record else ""
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for heading in ("", "this network", "chance"):
        table.add_column(heading, justify="right" if heading else "left")
    for name, value, chance in results_of(record):
        table.add_row(name, f"{value:.1f} %", "" if chance is None else f"{chance:.1f} %")
    text = StringIO()
    Console(file=text, width=200).print(table)
    title = f"{kind_of(record) or 'results'}{protocol}: {measured_on(record)}"
    return "\n".join([title, *map(str.rstrip, text.getvalue().splitlines())])
