from __future__ import annotations

from pathlib import Path

import pytest

from .served import make_index


@pytest.fixture(scope="session")
def served_index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An index of :mod:`served`, which tests leave as it is."""
    return make_index(tmp_path_factory.mktemp("served"))
