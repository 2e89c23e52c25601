"""``compat.apply`` in a fresh interpreter, beside a ``transformers`` that does not fit."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

from slic_mmaction import compat

PROGRAM = """
import sys, slic_mmaction
from mmaction.registry import MODELS
print([slic_mmaction.compat.apply(), sorted(sys.modules)])
MODELS.get('VindLURetrieval')()
"""


def test_apply_is_idempotent() -> None:
    assert compat.apply() is compat.apply()


def test_the_package_can_be_imported_quickly_and_without_warnings(tmp_path: Path) -> None:
    """And VindLU says what it lacks: here a torchvision for another torch."""
    package, metadata = tmp_path / "transformers", tmp_path / "transformers-5.17.0.dist-info"
    package.mkdir()
    (package / "__init__.py").touch()
    broken = "raise RuntimeError('operator torchvision::nms does not exist')"
    (package / "modeling_utils.py").write_text(broken)
    metadata.mkdir()
    content = "Metadata-Version: 2.1\nName: transformers\nVersion: 5.17.0\n"
    (metadata / "METADATA").write_text(content)
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(paths)),
        capture_output=True,
        text=True,
    )
    repairs, modules = ast.literal_eval(done.stdout.strip())
    assert "multimodal" in repairs
    assert "mmaction.models" in modules and "sklearn" not in modules
    assert "mmcv" not in done.stderr  # mmcv-lite's warning
    assert "VindLURetrieval requires" in done.stderr.splitlines()[-1]
