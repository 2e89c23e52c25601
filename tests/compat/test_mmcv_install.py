"""One sentence with the command that helps, for each way to get mmcv wrong."""

from __future__ import annotations

import importlib.util
from importlib import metadata

import mmcv
import pytest

from slic_mmaction.compat.mmcv_install import check_mmcv

INSTALL = 'pip install "mmcv-lite>=2.0.1,<2.2"'


@pytest.fixture
def install(monkeypatch: pytest.MonkeyPatch):
    """``install(version, *distributions)``: what the check will find."""

    def make(version: str, *names: str) -> None:
        monkeypatch.setattr(metadata, "distributions", lambda name: {name} & set(names))
        monkeypatch.setattr(mmcv, "__version__", version)

    return make


@pytest.mark.parametrize("version", ["2.0.0rc4", "2.0.1", "2.1.0"])
def test_a_sound_mmcv_passes(version: str, install) -> None:
    check_mmcv()  # of this environment
    install(version, "mmcv-lite")
    check_mmcv()


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
        ("2.3.6", ["onedl-mmcv"], "mmcv 2.3.6 is installed"),
        ("1.7.2", ["mmcv-full"], "mmcv 1.7.2 is installed"),
    ],
)
def test_refused_installations(version: str, names: list[str], said: str, install) -> None:
    install(version, *names)
    with pytest.raises(ImportError) as error:
        check_mmcv()
    assert str(error.value).startswith(said)
    assert f"run `pip uninstall -y {' '.join(names)} && {INSTALL}`." in str(error.value)
