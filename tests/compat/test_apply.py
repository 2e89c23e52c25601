"""``compat.apply``: what is repaired here, once, in a fresh interpreter."""

from __future__ import annotations

import ast
import subprocess
import sys

from slic_mmaction import compat


def test_apply_is_idempotent() -> None:
    assert compat.apply() is compat.apply()


def test_mmaction_models_import_after_apply_alone() -> None:
    program = "from slic_mmaction import compat; compat.apply(); import mmaction.models"
    subprocess.run([sys.executable, "-W", "ignore", "-c", program], check=True)


def test_an_import_does_not_warn_of_mmcv_lite_and_does_not_wait_for_scikit_learn() -> None:
    program = "import sys, slic_mmaction; print(sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", program], check=True, capture_output=True, text=True
    )
    assert "mmcv" not in done.stderr
    loaded = ast.literal_eval(done.stdout.strip())
    assert "slic_mmaction.clustering.quality" in loaded and "sklearn" not in loaded
