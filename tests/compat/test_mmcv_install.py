"""One sentence with the command that helps, for each way to get mmcv wrong."""

from __future__ import annotations

import importlib.util
from importlib import metadata

import mmcv
import pytest

from slic_mmaction.compat.mmcv_install import check_mmcv

INSTALL = 'pip install "mmcv-lite>=2.0.1,<2.2"'


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The names of the distributions that the check will find."""
    names = {"mmcv-lite"}

    def distribution(name: str) -> str:
        if name not in names:
            raise metadata.PackageNotFoundError(name)
        return name

    monkeypatch.setattr(metadata, "distribution", distribution)
    return names


@pytest.mark.parametrize("version", ["2.0.0rc4", "2.0.1", "2.1.0"])
def test_a_sound_mmcv_passes(
    version: str, installed: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mmcv, "__version__", version)
    check_mmcv()


def test_the_mmcv_of_this_environment_passes() -> None:
    check_mmcv()


def test_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError) as error:
        check_mmcv()
    assert str(error.value) == f"mmcv is not installed: run `{INSTALL}`."


def test_installed_twice(installed: set[str]) -> None:
    installed.add("mmcv")
    with pytest.raises(ImportError) as error:
        check_mmcv()
    assert f"run `pip uninstall -y mmcv mmcv-lite && {INSTALL}`." in str(error.value)


@pytest.mark.parametrize(
    ("version", "names"),
    [("2.2.0", {"mmcv"}), ("2.3.6", {"onedl-mmcv"}), ("1.7.2", {"mmcv-full"}), ("3.0", {"mmcv"})],
)
def test_refused_version(
    version: str, names: set[str], installed: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    installed.clear()
    installed.update(names)
    monkeypatch.setattr(mmcv, "__version__", version)
    with pytest.raises(ImportError) as error:
        check_mmcv()
    assert version in str(error.value)
    assert f"pip uninstall -y {names.pop()} && {INSTALL}" in str(error.value)
