"""Stand-ins appear where a module is missing and nowhere else."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

import pytest
from mmaction.registry import MODELS

from slic_mmaction.compat import missing_modules


@pytest.mark.parametrize("present", [False, True])
def test_importlib_metadata(present: bool, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.delitem(sys.modules, "importlib_metadata", raising=False)
    if present:
        (tmp_path / "importlib_metadata.py").write_text("")
        monkeypatch.syspath_prepend(tmp_path)
    else:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert missing_modules.alias_importlib_metadata() == (not present)
    found = sys.modules.pop("importlib_metadata", None)
    assert found is (None if present else importlib.metadata)


@pytest.mark.parametrize("present", [False, True])
def test_drn(present: bool, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "models" / "localizers" / ("drn" if present else "bsn")).mkdir(parents=True)
    spec = ModuleSpec("mmaction", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    others = [f for f in sys.meta_path if type(f) is not missing_modules._DRNStandIn]
    monkeypatch.setattr(sys, "meta_path", others.copy())
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    for _ in range(2):
        assert missing_modules.stand_in_for_drn() == (not present)
    assert len(sys.meta_path) == len(others) + (not present)


def test_no_mmaction_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="mmaction2 is not installed: run `pip install"):
        missing_modules.stand_in_for_drn()


def test_building_drn_says_what_is_missing() -> None:
    importlib.import_module("mmaction.models")
    with pytest.raises(NotImplementedError, match="issue 2714"):
        MODELS.build(dict(type="mmaction.DRN", vocab_size=3))
    assert MODELS.get("mmaction.DRN").__module__.startswith("mmaction.")


@pytest.mark.parametrize(
    ("transformers", "lacking", "turned_off"),
    [(True, "", False), (True, "DropPath", True), (False, "", False)],
)
def test_vindlu_is_turned_off_where_it_lacks_a_name(
    transformers: bool, lacking: str, turned_off: bool, monkeypatch
) -> None:
    dependency = importlib.import_module("mmaction.utils.dependency")
    monkeypatch.setattr(dependency, "WITH_MULTIMODAL", transformers)
    for name, needed in missing_modules._NEEDED_BY_VINDLU.items():
        module = ModuleType(name)
        for attribute in set(needed) - {lacking}:
            setattr(module, attribute, object())
        monkeypatch.setitem(sys.modules, name, module)
    assert missing_modules.turn_vindlu_off() == turned_off
    assert dependency.WITH_MULTIMODAL is (transformers and not turned_off)
