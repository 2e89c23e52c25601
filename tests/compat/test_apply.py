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


def test_mmcv_lite_does_not_warn_at_every_import() -> None:
    program = [sys.executable, "-c", "import slic_mmaction"]
    done = subprocess.run(program, check=True, capture_output=True, text=True)
    assert "mmcv" not in done.stdout + done.stderr
