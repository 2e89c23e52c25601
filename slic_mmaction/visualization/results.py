"""Tables of validation and test results with their chance levels, for HTML pages."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup

from ..evaluation.results import kind_of, measured_on, results_of
from .page import render, table
from .run_folder import Run


def results(run: Run) -> Iterator[Markup]:
    """Yield a heading and a table for each evaluation of a run."""
    for record in run.evaluations:
        if record.get("part") == "val":
            what = f"validation after epoch {record.get('epoch')}"
        else:
            what = f"test of {record.get('checkpoint')}"
        yield render("<h3>{{ what }}</h3>", what=what)
        of = filter(None, [kind_of(record), record.get("name"), measured_on(record)])
        yield render('<p class="note">{{ line }}</p>', line=" \u00b7 ".join(of))
        measured, random = {"%": "this network"}, {"%": "chance"}
        for name, value, chance in results_of(record):
            measured[name] = f"{value:.1f}"
            random[name] = "\u2013" if chance is None else f"{chance:.1f}"
        yield table([measured, random] if record.get("chance") else [measured])
