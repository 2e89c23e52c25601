"""Modules of the scripts in benchmarks/, imported as the scripts do it."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def importer(folder: Path) -> Iterator[Callable[[str], ModuleType]]:
    """Import from a folder; both have a ``run.py``, so nothing stays imported."""
    sys.path.insert(0, str(folder))
    yield importlib.import_module
    sys.path.remove(str(folder))
    for name, module in list(sys.modules.items()):
        if str(BENCHMARKS) in (getattr(module, "__file__", None) or ""):
            del sys.modules[name]


@pytest.fixture(scope="module")
def load() -> Iterator[Callable[[str], ModuleType]]:
    """Import a module of benchmarks/experiments."""
    yield from importer(BENCHMARKS / "experiments")


@pytest.fixture(scope="module")
def load_gpu() -> Iterator[Callable[[str], ModuleType]]:
    """Import a module of benchmarks/gpu."""
    yield from importer(BENCHMARKS / "gpu")
