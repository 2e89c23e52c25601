"""The scripts in tools/ as modules."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import pytest

TOOLS = Path(__file__).parents[2] / "tools"


def load_tool(name: str) -> ModuleType:
    """Import a script, as of ``analysis/results.py``, anew."""
    source = TOOLS / name
    spec = importlib.util.spec_from_file_location(f"{source.parent.name}_{source.stem}", source)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def tool(request) -> ModuleType:
    """The script that a test module names as ``TOOL``."""
    return load_tool(request.module.TOOL)
