"""Stand-ins appear where a module is missing and nowhere else."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import sys
from pathlib import Path

import pytest
from mmaction.registry import MODELS

from slic_mmaction.compat import missing_modules


@pytest.fixture
def fresh_finder(monkeypatch: pytest.MonkeyPatch) -> missing_modules._StandInFinder:
    """A finder that serves nothing yet, and a ``sys.meta_path`` put back after the test."""
    finder = missing_modules._StandInFinder()
    others = [f for f in sys.meta_path if f is not missing_modules._FINDER]
    monkeypatch.setattr(missing_modules, "_FINDER", finder)
    monkeypatch.setattr(sys, "meta_path", others)
    return finder


def test_importlib_metadata_is_the_standard_librarys(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(sys.modules, "importlib_metadata", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert missing_modules.alias_importlib_metadata()
    assert importlib.import_module("importlib_metadata") is importlib.metadata
    monkeypatch.delitem(sys.modules, "importlib_metadata")


def test_present_importlib_metadata_is_left_alone(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delitem(sys.modules, "importlib_metadata", raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "importlib_metadata.py").write_text("")
    assert not missing_modules.alias_importlib_metadata()
    assert "importlib_metadata" not in sys.modules


def fake_mmaction(root: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installed mmaction whose localizers' folder is returned."""
    localizers = root / "mmaction" / "models" / "localizers"
    localizers.mkdir(parents=True)
    spec = importlib.util.spec_from_file_location(
        "mmaction",
        root / "mmaction" / "__init__.py",
        submodule_search_locations=[str(root / "mmaction")],
    )
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    return localizers


def test_missing_drn_is_served(
    fresh_finder: missing_modules._StandInFinder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    fake_mmaction(tmp_path, monkeypatch)
    assert missing_modules.stand_in_for_drn()
    assert {"mmaction.models.localizers.drn", "mmaction.models.localizers.drn.drn"} == set(
        fresh_finder.files
    )


def test_present_drn_is_left_alone(
    fresh_finder: missing_modules._StandInFinder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (fake_mmaction(tmp_path, monkeypatch) / "drn").mkdir()
    assert not missing_modules.stand_in_for_drn()
    assert not fresh_finder.files


def test_no_mmaction_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="mmaction2 is not installed: run `pip install"):
        missing_modules.stand_in_for_drn()


def test_building_drn_says_what_is_missing() -> None:
    importlib.import_module("mmaction.models")
    with pytest.raises(NotImplementedError, match="issue 2714"):
        MODELS.build(dict(type="mmaction.DRN", vocab_size=3))
