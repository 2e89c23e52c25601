"""One sentence with the command that helps, for each way to get mmcv wrong."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from importlib import metadata

import mmcv
import pytest

from slic_mmaction.compat.mmcv_install import check_mmcv, lift_mmcv_bound

INSTALL = 'pip install "mmcv-lite>=2.0.1,<2.2"'


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch):
    """``install(version, *distributions)``: what the check will find."""

    def make(version: str, *names: str) -> None:
        monkeypatch.setattr(metadata, "distributions", lambda name: {name} & set(names))
        monkeypatch.setattr(mmcv, "__version__", version)

    return make


@pytest.mark.parametrize(
    ("version", "names"),
    [
        ("2.0.0rc4", ["mmcv-lite"]),
        ("2.1.0", ["mmcv-lite", "mmengine"]),
        ("2.3.6", ["onedl-mmcv", "onedl-mmengine"]),
    ],
)
def test_a_sound_mmcv_passes(version: str, names: list[str], install) -> None:
    check_mmcv()  # of this environment
    install(version, *names)
    check_mmcv()


def test_the_bound_of_mmaction_is_lifted_for_the_fork(install, monkeypatch) -> None:
    assert not lift_mmcv_bound()
    install("2.3.6", "onedl-mmcv")
    assert not lift_mmcv_bound()  # mmaction is imported
    monkeypatch.delitem(sys.modules, "mmaction")
    with pytest.raises(AssertionError, match="incompatible"):
        importlib.import_module("mmaction")
    assert lift_mmcv_bound()
    assert mmcv.__version__ == "2.3.6" and "mmaction" in sys.modules


def test_both_mmengines_are_refused(install) -> None:
    install("2.1.0", "mmcv-lite", "mmengine", "onedl-mmengine")
    with pytest.raises(
        ImportError, match="mmengine and onedl-mmengine are both installed"
    ) as error:
        check_mmcv()
    assert 'uninstall -y mmengine onedl-mmengine && pip install "onedl-mm' in str(error.value)


def test_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError) as error:
        check_mmcv()
    assert str(error.value) == f"mmcv is not installed: run `{INSTALL}`."


@pytest.mark.parametrize(
    ("version", "names", "said"),
    [
        ("2.1.0", ["mmcv", "mmcv-lite"], "mmcv and mmcv-lite are both installed"),
        ("2.2.0", ["mmcv"], "mmcv 2.2.0 is installed"),
        ("2.4.0", ["onedl-mmcv"], "onedl-mmcv 2.4.0 is installed"),
        ("1.7.2", ["mmcv-full"], "mmcv-full 1.7.2 is installed"),
    ],
)
def test_refused_installations(version: str, names: list[str], said: str, install) -> None:
    install(version, *names)
    with pytest.raises(ImportError) as error:
        check_mmcv()
    assert str(error.value).startswith(said)
    assert f"run `pip uninstall -y {' '.join(names)} && {INSTALL}`." in str(error.value)
