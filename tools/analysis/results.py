"""Collect runs into one table: protocol, split, seed, commit, config, mean and spread over seeds.

    python tools/analysis/results.py work_dirs
    python tools/analysis/results.py work_dirs/a work_dirs/b --out results --metric R@1 R@5
    python tools/analysis/results.py work_dirs --metric retrieval/iic/R@1 finetune/center/top1

Without --out the Markdown is printed; with it OUT.md and OUT.json are written. Every protocol has
columns of its own; a metric that was measured under several must be named with its protocol.
Seeds, commits and the origin of weights come from run_record.json, which RunRecordHook writes
beside the log. More in docs/ablations.md.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from slic_mmaction.durable_file import write_text
from slic_mmaction.results.columns import choose_columns
from slic_mmaction.results.run import read_results
from slic_mmaction.results.table import make_rows
from slic_mmaction.results.writing import to_json, to_markdown


def parse_args(argv: Sequence[str] | None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("work_dirs", type=Path, nargs="+", help="searched for runs at any depth")
    parser.add_argument("--out", type=Path, help="write OUT.md and OUT.json")
    parser.add_argument("--metric", nargs="+", default=(), help="show only these")
    return parser.parse_args(argv)


def run(args: argparse.Namespace) -> None:
    """Read, group and write.

    Raises:
        FileNotFoundError: If a work directory does not exist.
        ValueError: If there are no results, or a metric is not one column.
    """
    results = read_results(args.work_dirs)
    if not results:
        raise ValueError(
            f"No run below {', '.join(map(str, args.work_dirs))} has been evaluated: validate "
            "while training, or run tools/test.py."
        )
    columns = choose_columns(results, args.metric)
    rows = make_rows(results, columns)
    markdown = to_markdown(rows, columns)
    if args.out is None:
        print(markdown, end="")
        return
    write_text(Path(f"{args.out}.md"), markdown)
    write_text(Path(f"{args.out}.json"), json.dumps(to_json(rows, columns), indent=1) + "\n")
    print(f"{len(rows)} rows, {len(columns)} columns: {args.out}.md, {args.out}.json")


def main(argv: Sequence[str] | None = None) -> None:
    """Run the tool; exits with 2 and one sentence if an input cannot be used."""
    try:
        run(parse_args(argv))
    except (OSError, ValueError) as error:
        print(f"{Path(__file__).name}: {error}", file=sys.stderr)
        raise SystemExit(2) from None


if __name__ == "__main__":
    main()
