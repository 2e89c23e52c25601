"""``compat.apply``: what is repaired here, once, in a fresh interpreter."""

from __future__ import annotations

import subprocess
import sys

from slic_mmaction import compat


def test_apply_is_idempotent() -> None:
    assert compat.apply() is compat.apply()


def test_mmaction_models_import_after_apply_alone() -> None:
    program = "from slic_mmaction import compat; compat.apply(); import mmaction.models"
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)
