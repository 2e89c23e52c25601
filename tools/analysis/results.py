"""Collect runs into one table: protocol, split, seed, commit, config, mean and spread over seeds.

    python tools/analysis/results.py work_dirs
    python tools/analysis/results.py work_dirs/a work_dirs/b --out results --metric R@1 R@5
    python tools/analysis/results.py work_dirs --metric retrieval/iic/R@1 finetune/center/top1

The table is printed as Markdown. With --out, OUT.md and OUT.json are written instead. Every
protocol has its own columns; name a metric of several protocols with its protocol. Figures are
read from the evaluation.json of tests and validations, and seeds, commits and the origin of weights
from the run_record.json beside it. RunRecordHook writes both. See docs/ablations.md.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from statistics import fmean, stdev
from typing import Any, NamedTuple

from slic_mmaction.durable_file import write_text
from slic_mmaction.evaluation.protocols import name_in_keys
from slic_mmaction.evaluation.records import EVALUATION, RUN_RECORD

SPLITS, MEAN_OF_SPLITS = ("1", "2", "3"), "mean of 1-3"
# Data set and split in the name of an annotation file.
ANN_FILE = re.compile(
    r"(?:_(?:train|val|test)(?:_list)?(?:_split_?(\d))?(?:_videos|_rawframes)?)?$"
)
HEAD = ("method", "epoch", "data", "split", "videos")
RUN_HEAD = ("method", "split", "protocol", "values", "seeds", "config", "commit", "folder")
CHOSEN = ("lr", "weight_decay")  # settings that a linear probe chooses, not results
NOTE = """\
Percent: mean ± sample standard deviation over seeds, with their number in brackets. Numbers of \
different columns are of different protocols: do not compare them."""


class Result(NamedTuple):
    """Figure of a run with its origin."""

    method: tuple[str, ...]  # names of the runs that trained the weights, in order
    families: tuple[str, ...]  # hashes of their configs, the same for all splits
    hashes: tuple[str, ...]  # hashes of their configs
    epoch: int | None  # of the last run
    seeds: tuple[int | None, ...]  # of the runs, then of the evaluation
    data: str
    split: str  # "-" without one
    videos: int | None
    column: str  # kind, protocol and metric: retrieval/iic/R@1
    value: float
    commits: tuple[str, ...]
    folder: str


def unique(values: Iterable[Any]) -> tuple[Any, ...]:
    """Return the distinct values in order of first appearance."""
    return tuple(dict.fromkeys(values))


def grouped(results: Iterable[Result], key: Callable[[Result], Hashable]) -> list[list[Result]]:
    """Group results by key, in order of first appearance."""
    groups: dict[Hashable, list[Result]] = {}
    for result in results:
        groups.setdefault(key(result), []).append(result)
    return list(groups.values())


def read_json(path: Path) -> dict[str, Any]:
    """Read a dict from a JSON file."""
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is not readable JSON ({error}); remove that run.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__} where a dict was expected.")
    return content


def read_results(work_dirs: Iterable[Path]) -> list[Result]:
    """Read all results in folders, for each training those of the start with the last epoch."""
    trainings: list[Result] = []
    tests: list[Result] = []
    for work_dir in work_dirs:
        if not work_dir.is_dir():
            raise FileNotFoundError(f"There is no work directory {work_dir}.")
        paths = sorted(work_dir.rglob(EVALUATION))
        if not paths:
            raise ValueError(
                f"There is no {EVALUATION} below {work_dir}: validate while training, or run "
                "tools/test.py, with RunRecordHook in default_hooks, which writes it."
            )
        for path in paths:
            evaluation = read_json(path)
            kind = trainings if evaluation.get("part") == "val" else tests
            kind += read_evaluation(path.parent, evaluation)
    start = attrgetter("hashes", "seeds", "data", "split", "column")
    starts = grouped(trainings, lambda r: (Path(r.folder).parent, start(r)))
    return [max(group, key=lambda r: r.epoch or 0) for group in starts] + tests


def read_evaluation(folder: Path, evaluation: dict[str, Any]) -> Iterator[Result]:
    """Yield the results of one run."""
    path = folder / RUN_RECORD
    run = read_json(path) if path.is_file() else dict(name=folder.parent.name)
    chain: list[dict[str, Any]] = [run]
    while chain[0].get("origin"):
        chain.insert(0, chain[0]["origin"])
    # A test trains nothing. Without weights of another run, it evaluates random weights.
    trained = chain if evaluation.get("part") == "val" else chain[:-1]
    parts = [evaluation[part] for part in ("query", "gallery", "videos") if part in evaluation]
    named = [ANN_FILE.split(Path(part["ann_file"]).stem)[:2] for part in parts]
    for key, value in evaluation["figures"].items():
        *kind, metric = key.split("/")
        if not kind or metric in CHOSEN:
            continue
        if len(kind) == 1 and "name" in evaluation:
            kind.append(name_in_keys(evaluation["name"]))
        yield Result(
            method=tuple(run["name"] for run in trained) or ("random weights",),
            families=tuple(run.get("family", run.get("file", "-")) for run in trained),
            hashes=tuple(run.get("config_hash", run.get("file", "-")) for run in trained),
            epoch=evaluation["epoch"] if trained is chain else (trained or [{}])[-1].get("epoch"),
            seeds=(*(run.get("seed") for run in trained or chain), *evaluation.get("seeds", ())),
            data=" in ".join(unique(data or "-" for data, _ in named)),
            split=" in ".join(unique(split or "-" for _, split in named)),
            videos=sum(part["videos"] for part in parts),
            column="/".join([*kind, metric]),
            # MMAction2's accuracies are shares.
            value=float(value) if "name" in evaluation else 100 * float(value),
            commits=unique(run.get("commit", "-") for run in chain),
            folder=str(folder),
        )


def choose_columns(results: Iterable[Result], wanted: Sequence[str] = ()) -> list[str]:
    """Return all columns, or those of metrics (``R@1``) and full names (``retrieval/iic/R@1``)."""
    # Numbers are compared as such: R@5 before R@10.
    parts = {r.column: re.split(r"(\d+)", r.column) for r in results}
    known = sorted(parts, key=lambda c: [int(p) if p.isdigit() else p for p in parts[c]])
    chosen = []
    for name in wanted:
        found = [column for column in known if name in (column, column.rsplit("/", 1)[1])]
        if not found:
            raise ValueError(f"No run has {name}; there are {', '.join(known)}.")
        if len(found) > 1:
            raise ValueError(
                f"{name} was measured under {len(found)} protocols, and their numbers must not "
                f"be compared: choose one of {', '.join(found)}."
            )
        chosen += found
    return list(unique(chosen)) or known


def make_cell(results: Sequence[Result]) -> dict[str, Any]:
    """Compute the mean and standard deviation over seeds of one column.

    The sample standard deviation of one value is None. Of two runs with the same seeds, the later
    one counts.
    """
    by_seeds = {r.seeds: r.value for r in results}
    values = list(by_seeds.values())
    spread = stdev(values) if len(values) > 1 else None
    return dict(mean=fmean(values), spread=spread, seeds=list(by_seeds), values=values)


def make_rows(results: Iterable[Result], columns: Sequence[str]) -> list[dict[str, Any]]:
    """Make a row for each training and set of videos, and for the mean of splits 1 to 3."""
    shown = sorted((r for r in results if r.column in columns), key=lambda r: Path(r.folder).name)
    for group in grouped(shown, attrgetter("families", "epoch", "data", "column", "seeds")):
        splits = {result.split: result for result in group}
        if set(SPLITS) <= splits.keys():
            three = [splits[split] for split in SPLITS]
            method = tuple(re.sub("_split[23]", "", name) for name in three[0].method)
            commits = unique(commit for result in three for commit in result.commits)
            value = fmean(result.value for result in three)
            mean = three[0]._replace(method=method, hashes=("-",), commits=commits, value=value)
            shown.append(mean._replace(split=MEAN_OF_SPLITS, videos=None))
    rows = []
    for group in grouped(shown, attrgetter(*HEAD, "families", "hashes")):
        row = {name: getattr(group[0], name) for name in HEAD}
        row["config_hashes"] = group[0].hashes
        row["commits"] = unique(commit for r in group for commit in r.commits)
        by_column = grouped(group, attrgetter("column"))
        row["cells"] = {same[0].column: make_cell(same) for same in by_column}
        row["runs"] = [r._asdict() for r in group if r.split != MEAN_OF_SPLITS]
        rows.append(row)
    return rows


def to_markdown(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    """Format a table of means, and a table of the runs."""

    def text(value: Any) -> str:
        if isinstance(value, dict):
            spread = "" if value["spread"] is None else f" ± {value['spread']:.2g}"
            return f"{value['mean']:.4g}{spread} ({len(value['values'])})"
        if isinstance(value, tuple):
            return " → ".join(map(text, value)) or "-"
        return (
            "-" if value is None else str(value).replace("|", "\\|")
        )  # a vertical bar would end a cell

    def table(head: Sequence[str], lines: Iterable[Iterable[Any]]) -> str:
        lines = [head, ["---"] * len(head), *lines]
        return "".join(f"| {' | '.join(map(text, line))} |\n" for line in lines)

    means = [[*map(row.get, HEAD), *(row["cells"].get(c, "") for c in columns)] for row in rows]
    runs = []
    every = [Result(**run) for row in rows for run in row["runs"]]
    for group in grouped(every, lambda r: (r.folder, r.seeds, r.column.rsplit("/", 1)[0])):
        group.sort(key=lambda r: columns.index(r.column))
        values = ", ".join(f"{r.column.rsplit('/', 1)[1]} {r.value:.4g}" for r in group)
        r, protocol = group[0], group[0].column.rsplit("/", 1)[0]
        seeds, commits = ", ".join(map(text, r.seeds)), ", ".join(r.commits)
        runs.append([r.method, r.split, protocol, values, seeds, r.hashes, commits, r.folder])
    return f"{table([*HEAD, *columns], means)}\n{NOTE}\n\n## Runs\n\n{table(RUN_HEAD, runs)}"


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool. On bad input, print one sentence and exit with code 2."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "work_dirs", type=Path, nargs="+", help="folders to search for runs at any depth"
    )
    parser.add_argument("--out", type=Path, help="write OUT.md and OUT.json")
    parser.add_argument("--metric", nargs="+", default=(), help="show only these metrics")
    args = parser.parse_args(argv)
    try:
        results = read_results(args.work_dirs)
        columns = choose_columns(results, args.metric)
        rows = make_rows(results, columns)
        markdown = to_markdown(rows, columns)
        if args.out is None:
            print(markdown, end="")
            return
        write_text(f"{args.out}.md", markdown)
        content = json.dumps(dict(columns=columns, rows=rows), indent=1)
        write_text(f"{args.out}.json", f"{content}\n")
        print(f"{len(rows)} rows, {len(columns)} columns: {args.out}.md, {args.out}.json")
    except (OSError, ValueError) as error:
        print(f"{Path(__file__).name}: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
