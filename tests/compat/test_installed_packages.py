"""Looking up installed packages gives mmengine's answers, without ``pkg_resources``."""

from __future__ import annotations

import importlib.util
import inspect
from pathlib import Path

import mmengine.config.config
import mmengine.utils
import pytest
from mmengine.config import Config
from mmengine.utils import package_utils

import slic_mmaction
from slic_mmaction.compat import installed_packages


@pytest.fixture
def without_pkg_resources(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the repair believe that ``pkg_resources`` is missing; undone after the test."""
    find_spec = importlib.util.find_spec
    for module in (package_utils, mmengine.utils, mmengine.config.config):
        for name in ("is_installed", "get_installed_path"):
            monkeypatch.setattr(module, name, getattr(module, name))
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *rest: None if name == "pkg_resources" else find_spec(name, *rest),
    )


@pytest.mark.usefixtures("without_pkg_resources")
@pytest.mark.skipif(
    "pkg_resources" not in inspect.getsource(package_utils), reason="this mmengine does without"
)
def test_configs_of_other_packages_can_be_inherited(tmp_path: Path) -> None:
    assert installed_packages.repair_installed_packages()
    assert mmengine.config.config.is_installed is installed_packages.is_installed
    assert mmengine.utils.get_installed_path is installed_packages.get_installed_path
    config = tmp_path / "config.py"
    config.write_text("_base_ = 'mmaction::_base_/default_runtime.py'\n")
    assert Config.fromfile(config).default_scope == "mmaction"


def test_present_pkg_resources_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    before = mmengine.config.config.is_installed
    assert not installed_packages.repair_installed_packages()
    assert mmengine.config.config.is_installed is before


@pytest.mark.parametrize("package", ["mmaction2", "mmaction", "finch-clust"])
def test_answers_agree_with_mmengines(package: str) -> None:
    pytest.importorskip("pkg_resources", reason="mmengine's own functions need it")
    assert installed_packages.is_installed(package)
    assert installed_packages.get_installed_path(package) == package_utils.get_installed_path(
        package
    )


def test_an_editable_install_is_found_where_its_files_are() -> None:
    folder = Path(str(slic_mmaction.__file__)).parent
    assert Path(installed_packages.get_installed_path("slic_mmaction")) == folder


def test_what_is_not_installed_is_said() -> None:
    assert not installed_packages.is_installed("surely-not-installed")
    with pytest.raises(ModuleNotFoundError, match="pip install surely-not-installed"):
        installed_packages.get_installed_path("surely-not-installed")
