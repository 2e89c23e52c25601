"""Figures of validations and tests beside what chance alone would give."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from markupsafe import Markup
from scipy.stats import hypergeom

from .page import render, table
from .run_folder import Run

_SETTINGS = ("lr", "weight_decay", "val_top1")  # of a linear probe, chosen by itself


def chance_level(metric: str, query: Counter[int], gallery: Counter[int]) -> float | None:
    """What a metric is on average, in percent, if the gallery is ranked at random.

    Args:
        metric: ``R@5``, ``mAP`` or ``top1``; others have no such level.
        query: Number of queries of each class.
        gallery: Number of gallery videos of each class.

    Returns:
        None if there is no such level. For ``topK`` that of guessing classes evenly.
    """
    total, kind, number = sum(gallery.values()), metric[:2], metric[metric.find("@") + 1 :]
    if not total or not query:
        return None
    if metric == "mAP":
        # The mean precision at the r-th of R right ones, over all orders.
        harmonic = float((1 / np.arange(1, total + 1)).sum())
        level = {
            c: (harmonic + (right - 1) / max(1, total - 1) * (total - harmonic)) / total
            for c, right in gallery.items()
        }
    elif kind == "R@" and number.isdecimal():
        k = min(int(number), total)
        level = {c: float(hypergeom.sf(0, total, right, k)) for c, right in gallery.items()}
    elif metric.startswith("top") and metric[3:].isdecimal():
        return 100 * min(1.0, int(metric[3:]) / len(gallery))
    else:
        return None
    share = sum(count * level.get(c, 0.0) for c, count in query.items()) / sum(query.values())
    return 100 * share


def chance_levels(run: Run, record: Mapping[str, Any]) -> dict[str, float]:
    """Chance by the name of a figure; empty if the lists of videos are gone."""
    dataset = (run.config.get("val_dataloader") or {}).get("dataset") or {}
    classes = [
        _classes(run, record.get(role) or {}, (dataset.get(role) or {}).get("delimiter", " "))
        for role in ("query", "gallery")
    ]
    levels = {key: chance_level(key.rpartition("/")[2], *classes) for key in record["figures"]}
    return {key: level for key, level in levels.items() if level is not None}


def _classes(run: Run, part: Mapping[str, Any], delimiter: str | None) -> Counter[int]:
    file = run.find(str(part.get("ann_file", "")))
    if not file.is_file():
        return Counter()
    lines = file.read_text(encoding="utf-8").splitlines()
    fields = [line.rsplit(delimiter, 1)[-1].strip() for line in lines if line.strip()]
    return Counter(int(field) for field in fields if field.isdecimal())


def results(run: Run) -> Iterator[Markup]:
    """A heading and a table for each evaluation of a run."""
    for record in run.evaluations:
        chance = chance_levels(run, record)
        if record.get("part") == "val":
            what = f"validation after epoch {record.get('epoch')}"
        else:
            what = f"test of {record.get('checkpoint')}"
        counts = [
            f"{record[part]['videos']} {words}"
            for part, words in (("query", "queries"), ("gallery", "in the gallery"),
                                ("videos", "videos"))
            if isinstance(record.get(part), dict)
        ]  # fmt: skip
        yield render("<h3>{{ what }}</h3>", what=what)
        yield render('<p class="note">{{ line }}</p>',
                     line=" \u00b7 ".join(filter(None, [record.get("name"), *counts])))  # fmt: skip
        measured: dict[str, object] = {"%": "this network"}
        random: dict[str, object] = {"%": "chance"}
        for key, value in record["figures"].items():
            kind, _, metric = key.rpartition("/")
            if metric not in _SETTINGS:
                name = f"{kind} {metric}".strip()
                measured[name] = f"{value:.1f}"
                random[name] = f"{chance[key]:.1f}" if key in chance else "\u2013"
        yield table([measured, random] if chance else [measured])
