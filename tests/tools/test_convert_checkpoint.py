from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from slic_mmaction.compat.checkpoints import load_from_local

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    source = ROOT / "tools" / "convert_checkpoint.py"
    spec = importlib.util.spec_from_file_location("convert_checkpoint", source)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def theirs(tmp_path: Path) -> Path:
    """A file as the authors' code writes it."""
    with np.load(ROOT / "tests" / "data" / "r3d18_slim.npz") as arrays:
        weights = {
            name.replace("weights/", "module."): torch.from_numpy(arrays[name])
            for name in arrays.files
            if name.startswith("weights/")
        }
    path = tmp_path / "model_best.pth.tar"
    torch.save(dict(epoch=31, best_prec1=torch.tensor(0.5), state_dict=weights), path)
    return path


def test_there_and_back(tool, theirs: Path, tmp_path: Path, capsys) -> None:
    ours, back = tmp_path / "new" / "slic.pth", tmp_path / "back.pth.tar"
    tool.main([str(theirs), str(ours), "--to", "mmaction"])
    said = capsys.readouterr().out
    assert "module.layer2.0.downsample.1.bias" in said and "129 names, 541,245 values" in said
    assert "0 names left out" in said
    tool.main([str(ours), str(back), "--to", "authors"])
    first, last = (load_from_local(str(path), "cpu") for path in (theirs, back))
    assert first["state_dict"].keys() == last["state_dict"].keys()
    assert all(
        torch.equal(first["state_dict"][k], last["state_dict"][k]) for k in last["state_dict"]
    )
    assert last["epoch"] == 31
    assert sorted(p.name for p in ours.parent.iterdir()) == ["slic.pth"]  # nothing temporary


def test_backbone_only(tool, theirs: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "backbone.pth"
    tool.main([str(theirs), str(out), "--to", "mmaction", "--backbone-only"])
    assert "9 names left out" in capsys.readouterr().out
    names = load_from_local(str(out), "cpu")["state_dict"]
    assert len(names) == 120 and all(name.startswith("backbone.") for name in names)


def test_a_short_stem_is_pointed_out(tool, tmp_path: Path, capsys) -> None:
    source, out = tmp_path / "r3d_18.pth", tmp_path / "out.pth"
    state = {"stem.0.weight": torch.zeros(8, 3, 3, 7, 7), "fc.bias": torch.zeros(2)}
    torch.save(state, source)
    tool.main([str(source), str(out), "--to", "mmaction"])
    assert "set model.backbone.conv1_kernel=(3, 7, 7)" in capsys.readouterr().out
    tool.main([str(source), str(out), "--to", "mmaction"])  # replaces what it wrote


class Evil:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (Path.touch, (Path("never"),))


@pytest.mark.parametrize(
    ("content", "target", "sentence"),
    [
        (dict(a=torch.zeros(1)), "authors", "are neither MMAction2's"),
        ({"conv1.weight": torch.zeros(8, 3, 7, 7, 7)}, "torchvision", "stem is 3x7x7"),
        ({"conv1.weight": torch.zeros(1), "x.y": torch.zeros(1)}, "mmaction", "counterpart among"),
        (dict(state_dict=Evil()), "mmaction", "could run code"),
    ],
)
def test_what_cannot_be_converted_is_one_sentence_and_no_file(
    tool, tmp_path: Path, capsys, content, target, sentence
) -> None:
    source, out = tmp_path / "in.pth", tmp_path / "out.pth"
    torch.save(content, source)
    with pytest.raises(SystemExit) as stop:
        tool.main([str(source), str(out), "--to", target])
    said = capsys.readouterr().err
    assert stop.value.code == 2 and said.count("\n") == 1
    assert str(source) in said and sentence in said
    assert sorted(p.name for p in tmp_path.iterdir()) == ["in.pth"]


def test_files_that_are_not_there_or_the_same(tool, theirs: Path, tmp_path: Path, capsys) -> None:
    for source, sentence in ((tmp_path / "none.pth", "does not exist"), (theirs, "is the input")):
        with pytest.raises(SystemExit):
            tool.main([str(source), str(theirs), "--to", "mmaction"])
        assert sentence in capsys.readouterr().err
