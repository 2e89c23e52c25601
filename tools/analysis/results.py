"""Collect runs into one table: protocol, split, seed, commit, config, mean and spread over seeds.

    python tools/analysis/results.py work_dirs
    python tools/analysis/results.py work_dirs/a work_dirs/b --out results --metric R@1 R@5
    python tools/analysis/results.py work_dirs --metric retrieval/iic/R@1 finetune/center/top1

Without --out the Markdown is printed; with it OUT.md and OUT.json are written. Every protocol has
columns of its own; a metric that was measured under several must be named with its protocol.
Figures come from the evaluation.json of a test or validation, seeds, commits and the origin of
weights from the run_record.json beside it; RunRecordHook writes both. More in docs/ablations.md.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from slic_mmaction.durable_file import durable_file
from slic_mmaction.evaluation.protocols import name_in_keys
from slic_mmaction.evaluation.records import EVALUATION, RUN_RECORD

SPLITS, MEAN_OF_SPLITS = ("1", "2", "3"), "mean of 1-3"
HEAD = ("method", "epoch", "data", "split", "videos")
RUN_HEAD = ("method", "split", "protocol", "values", "seeds", "config", "commit", "folder")
NOTE = (
    "Mean ± sample standard deviation over seeds, with their number in brackets. Numbers of "
    "different columns are of different protocols: do not compare them."
)
ANN_FILE = re.compile(
    r"(?P<data>.+?)_(train|val|test)(_list)?(_split_?(?P<split>\d))?(_videos|_rawframes)?"
)
CHOSEN = ("lr", "weight_decay")  # by a linear probe: settings, no results


@dataclass(frozen=True)
class Result:
    """One number of one run, and everything that must be said with it."""

    method: tuple[str, ...]  # names of the runs that made the weights, in order
    families: tuple[str, ...]  # hashes of their configs, the same for all splits
    hashes: tuple[str, ...]
    epoch: int | None  # of the last of them
    seeds: tuple[int | None, ...]  # theirs, then those of the evaluation
    data: str
    split: str  # '-' without one
    videos: int
    protocol: str  # kind and protocol, 'retrieval/iic'
    metric: str  # 'R@1'
    value: float
    commits: tuple[str, ...]
    folder: str

    @property
    def column(self) -> str:
        """Numbers that may stand below each other; different protocols never share one."""
        return f"{self.protocol}/{self.metric}"


def read_results(work_dirs: Iterable[Path]) -> list[Result]:
    """All results below some work directories, searched at any depth.

    Of several starts of one training the one that went farthest counts.

    Raises:
        FileNotFoundError: If a directory does not exist.
        ValueError: If it holds no evaluation, or a file is damaged.
    """
    tests: list[Result] = []
    trainings: list[Result] = []
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
            (tests if evaluation["part"] == "test" else trainings).extend(
                read_evaluation(path.parent, evaluation)
            )

    def training(r: Result) -> tuple:
        return Path(r.folder).parent, r.hashes, r.seeds, r.data, r.split, r.protocol

    last = [max(group, key=epoch_of) for group in grouped(trainings, training)]
    farthest = {training(result): epoch_of(result) for result in last}
    return [r for r in trainings if epoch_of(r) == farthest[training(r)]] + tests


def read_evaluation(folder: Path, evaluation: dict[str, Any]) -> Iterator[Result]:
    """The results of one run."""
    path = folder / RUN_RECORD
    own = read_json(path) if path.is_file() else dict(name=folder.parent.name)
    chain = list(origins(own))
    # A test trains nothing. Without weights of another run it judges its own random ones.
    trained = chain[:-1] if evaluation["part"] == "test" else chain
    epoch = evaluation["epoch"]
    if epoch is None and trained:
        epoch = trained[-1].get("epoch")
    parts = [evaluation[part] for part in ("query", "gallery", "videos") if part in evaluation]
    named = [data_of(part["ann_file"]) for part in parts]
    (data, split), (gallery, gallery_split) = named[0], named[-1]
    if named[0] != named[-1]:
        data = f"{data} in {gallery}"
        split = split if split == gallery_split else f"{split} in {gallery_split}"
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
            epoch=epoch,
            seeds=(*(run.get("seed") for run in trained or chain), *evaluation["seeds"]),
            data=data,
            split=split,
            videos=sum(part["videos"] for part in parts),
            protocol="/".join(kind),
            metric=metric,
            value=float(value),
            commits=tuple(dict.fromkeys(run.get("commit", "-") for run in chain)),
            folder=str(folder),
        )


def origins(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A run after all runs whose weights it began with, the first one first."""
    if record.get("origin"):
        yield from origins(record["origin"])
    yield record


def data_of(ann_file: str) -> tuple[str, str]:
    """Data set and split by the name of an annotation file."""
    stem = Path(ann_file).stem
    match = ANN_FILE.fullmatch(stem)
    return (match["data"], match["split"] or "-") if match else (stem or "-", "-")


def epoch_of(result: Result) -> int:
    return result.epoch or 0


def read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is not readable JSON ({error}); remove that run.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__} where a dict was expected.")
    return content


def grouped(results: Iterable[Result], key: Callable[[Result], Hashable]) -> list[list[Result]]:
    groups: dict[Hashable, list[Result]] = {}
    for result in results:
        groups.setdefault(key(result), []).append(result)
    return list(groups.values())


def choose_columns(results: Iterable[Result], wanted: Sequence[str] = ()) -> list[str]:
    """Columns of a table: all, or those of metrics (``R@1``) and columns (``retrieval/iic/R@1``).

    Raises:
        ValueError: If one of ``wanted`` was never measured, or under several protocols.
    """

    def order(column: str) -> list:  # R@5 before R@10
        return [int(p) if p.isdigit() else p for p in re.split(r"(\d+)", column)]

    known = sorted({result.column: result.metric for result in results}.items(), key=str)
    known.sort(key=lambda item: (item[0].rsplit("/", 1)[0], order(item[1])))
    if not wanted:
        return [column for column, _ in known]
    chosen = []
    for name in wanted:
        found = [column for column, metric in known if name in (column, metric)]
        if not found:
            raise ValueError(f"No run has {name}; there are {', '.join(c for c, _ in known)}.")
        if len(found) > 1:
            raise ValueError(
                f"{name} was measured under {len(found)} protocols, and their numbers must not "
                f"be compared: choose one of {', '.join(found)}."
            )
        chosen.append(found[0])
    return list(dict.fromkeys(chosen))


def make_rows(results: Iterable[Result], columns: Sequence[str]) -> list[dict[str, Any]]:
    """A row for each training and set of videos, and the mean of splits 1 to 3 where all are there.

    A cell has the mean over seeds, their sample standard deviation (None of one), and all values.
    """
    shown = [result for result in results if result.column in columns]
    same = grouped(shown, lambda r: (r.method, r.hashes, r.epoch, r.data, r.split, r.videos))
    rows = [
        make_row(group, {c[0].column: by_seeds(c) for c in grouped(group, lambda r: r.column)})
        for group in same
    ]
    for group in grouped(shown, lambda r: (r.families, r.epoch, r.data)):
        means = {}
        for of_column in grouped(group, lambda r: r.column):
            splits = [by_seeds(r for r in of_column if r.split == split) for split in SPLITS]
            # Seeds that all three splits have, so that the mean is of whole triples.
            common = [seeds for seeds in splits[0] if all(seeds in split for split in splits)]
            if common:
                means[of_column[0].column] = {
                    s: fmean(split[s] for split in splits) for s in common
                }
        if means:
            row = make_row([r for r in group if r.split in SPLITS], means)
            method = [re.sub("_split[23]", "", name) for name in row["method"]]
            rows.append(row | dict(method=method, config_hashes=["-"], split=MEAN_OF_SPLITS,
                                   videos=None))  # fmt: skip
    return rows


def make_row(results: Sequence[Result], cells: dict[str, dict[tuple, float]]) -> dict[str, Any]:
    first = results[0]
    return dict(
        method=list(first.method),
        config_hashes=list(first.hashes),
        epoch=first.epoch,
        data=first.data,
        split=first.split,
        videos=first.videos,
        commits=list(dict.fromkeys(commit for result in results for commit in result.commits)),
        cells={
            column: dict(
                mean=fmean(values.values()),
                spread=stdev(values.values()) if len(values) > 1 else None,
                seeds=[list(seeds) for seeds in values],
                values=list(values.values()),
            )
            for column, values in cells.items()
        },
        runs=[asdict(result) for result in results],
    )


def by_seeds(results: Iterable[Result]) -> dict[tuple, float]:
    """Values by seeds; of two runs with the same ones the later counts."""
    return {r.seeds: r.value for r in sorted(results, key=lambda r: Path(r.folder).name)}


def to_markdown(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    """One table of means, one of the runs behind it."""

    def text(value: object) -> str:
        if isinstance(value, dict):
            spread = "" if value["spread"] is None else f" ± {value['spread']:.2g}"
            return f"{value['mean']:.4g}{spread} ({len(value['values'])})"
        return "-" if value is None else str(value)

    def table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
        cells = [head, ["---"] * len(head), *lines]
        # A bar would end a cell.
        return "".join(
            f"| {' | '.join(c.replace('|', chr(92) + '|') for c in line)} |\n" for line in cells
        )

    means = [
        [" → ".join(row["method"]), *(text(row[name]) for name in HEAD[1:])]
        + [text(row["cells"].get(column, "")) for column in columns]
        for row in rows
    ]
    runs = []
    for row in rows:
        results = [Result(**run) for run in row["runs"] if row["split"] != MEAN_OF_SPLITS]
        for group in grouped(results, lambda r: (r.folder, r.protocol, r.seeds)):
            r = group[0]
            group.sort(key=lambda result: columns.index(result.column))
            values = ", ".join(f"{result.metric} {result.value:.4g}" for result in group)
            seeds, hashes = ", ".join(map(text, r.seeds)), " → ".join(r.hashes) or "-"
            runs.append([" → ".join(r.method), r.split, r.protocol, values, seeds, hashes,
                         ", ".join(r.commits), r.folder])  # fmt: skip
    return f"{table([*HEAD, *columns], means)}\n{NOTE}\n\n## Runs\n\n{table(RUN_HEAD, runs)}"


def write(path: Path, text: str) -> None:
    with durable_file(path) as file:
        file.write(text.encode())


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool; exits with 2 and one sentence if an input cannot be used."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work_dirs", type=Path, nargs="+", help="searched for runs at any depth")
    parser.add_argument("--out", type=Path, help="write OUT.md and OUT.json")
    parser.add_argument("--metric", nargs="+", default=(), help="show only these")
    args = parser.parse_args(argv)
    try:
        results = read_results(args.work_dirs)
        columns = choose_columns(results, args.metric)
        rows = make_rows(results, columns)
        markdown = to_markdown(rows, columns)
        if args.out is None:
            print(markdown, end="")
            return
        write(Path(f"{args.out}.md"), markdown)
        table = dict(columns=columns, rows=rows)
        write(Path(f"{args.out}.json"), json.dumps(table, indent=1) + "\n")
        print(f"{len(rows)} rows, {len(columns)} columns: {args.out}.md, {args.out}.json")
    except (OSError, ValueError) as error:
        print(f"{Path(__file__).name}: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
