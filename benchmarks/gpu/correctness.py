"""Stage (a): what the device computes is what the CPU computes."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import check_augmentation
import check_clustering
import check_losses
import check_network
from settings import Settings
from stage_file import Result, markdown


def measurements(settings: Settings) -> Iterator[tuple[str, Callable[[], Result]]]:
    """All checks, the cheapest first."""
    return itertools.chain.from_iterable(
        check.measurements(settings)
        for check in (check_losses, check_network, check_augmentation, check_clustering)
    )


def table(results: dict[str, Result]) -> str:
    """One line for each check."""
    rows = [[name, *_verdict(result)] for name, result in results.items()]
    return markdown(["check", "as expected", "largest error", "tolerance", "remark"], rows)


def _verdict(result: Result) -> list[object]:
    if "failed" in result or "skipped" in result:
        said = "failed" if "failed" in result else "skipped"
        return [said, None, None, result[said]]
    remark = result.get("where")
    for told in ("gradients", "neighbours_that_differ"):
        if told in result:
            remark = f"{told.replace('_', ' ')}: {result[told]:.3g}"
    error = result.get("error", result.get("max_to_cpu"))
    return [result["passed"], error, result.get("tolerance"), remark]
