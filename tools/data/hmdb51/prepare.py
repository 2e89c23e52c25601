"""Prepare HMDB51: archives or unpacked videos in, MMAction2 annotation files out.

In the root of the repository, with the two files of the official site:

    python tools/data/hmdb51/prepare.py --archives hmdb51_org.rar test_train_splits.rar

Can be stopped and started again at any time. More in docs/data/hmdb51.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from slic_mmaction.preparation.hmdb51 import read_lists
from slic_mmaction.preparation.options import run_tool
from slic_mmaction.preparation.three_splits import prepare_three_splits

CONFIGS = Path(__file__).parents[3] / "configs"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the preparation; returns the exit code."""
    return prepare_three_splits("hmdb51", read_lists, CONFIGS, __doc__, argv)


if __name__ == "__main__":
    run_tool(main)
