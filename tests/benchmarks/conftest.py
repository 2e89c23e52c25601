"""What the tests of the experiments share."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).parents[2] / "benchmarks" / "experiments"


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch):
    """Import a module of the experiments' folder, as its scripts do."""
    monkeypatch.syspath_prepend(str(EXPERIMENTS))
    return importlib.import_module
