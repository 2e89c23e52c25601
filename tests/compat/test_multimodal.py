"""MMAction2 can be imported beside any ``transformers``."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from slic_mmaction.compat import multimodal


@pytest.fixture
def dependency() -> ModuleType:
    """Importable only since the package has stood in for importlib_metadata."""
    return importlib.import_module("mmaction.utils.dependency")


def install_transformers(folder: Path, content: str) -> None:
    """A package of that name which has no more than a test needs."""
    (folder / "transformers").mkdir()
    (folder / "transformers" / "__init__.py").touch()
    (folder / "transformers" / "modeling_utils.py").write_text(content)
    (folder / "transformers-5.17.0.dist-info").mkdir()
    metadata = folder / "transformers-5.17.0.dist-info" / "METADATA"
    metadata.write_text("Metadata-Version: 2.1\nName: transformers\nVersion: 5.17.0\n")


@pytest.mark.parametrize(
    "content",
    ["", "raise RuntimeError('operator torchvision::nms does not exist')"],
    ids=["without the names", "beside a torchvision for another torch"],
)
def test_the_package_imports_and_says_what_is_missing(tmp_path: Path, content: str) -> None:
    install_transformers(tmp_path, content)
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    program = (
        "from slic_mmaction import compat; print(compat.apply())\n"
        "from mmaction.registry import MODELS; import mmaction.models\n"
        "MODELS.get('VindLURetrieval')()"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program],
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(paths)),
        capture_output=True,
        text=True,
    )
    assert "'multimodal'" in done.stdout, done.stderr
    assert "VindLURetrieval requires" in done.stderr.splitlines()[-1]


def test_what_works_is_left_alone(dependency: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dependency, "WITH_MULTIMODAL", True)
    for name, needed in multimodal._NEEDED.items():
        module = ModuleType(name)
        for attribute in needed:
            setattr(module, attribute, object())
        monkeypatch.setitem(sys.modules, name, module)
    assert not multimodal.repair_multimodal()
    assert dependency.WITH_MULTIMODAL


def test_without_transformers_there_is_nothing_to_do(
    dependency: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dependency, "WITH_MULTIMODAL", False)
    assert not multimodal.repair_multimodal()
