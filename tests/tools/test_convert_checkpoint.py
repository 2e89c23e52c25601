from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from slic_mmaction.compat.checkpoints import load_from_local

ROOT = Path(__file__).parents[2]
TOOL = "convert_checkpoint.py"


def test_there_and_back_and_the_backbone_alone(tool, tmp_path: Path, capsys) -> None:
    theirs, ours = tmp_path / "model_best.pth.tar", tmp_path / "new" / "slic.pth"
    back, backbone = tmp_path / "back.pth.tar", tmp_path / "backbone.pth"
    with np.load(ROOT / "tests" / "data" / "r3d18_slim.npz") as arrays:
        weights = {
            name.replace("weights/", "module."): torch.from_numpy(arrays[name])
            for name in arrays.files
            if name.startswith("weights/")
        }
    torch.save(dict(epoch=31, best_prec1=torch.tensor(0.5), state_dict=weights), theirs)
    tool.main([str(theirs), str(ours), "--to", "mmaction"])
    said = capsys.readouterr().out
    assert "module.layer2.0.downsample.1.bias" in said and "129 names, 541,245 values" in said
    assert "0 names left out" in said
    assert [p.name for p in ours.parent.iterdir()] == ["slic.pth"]  # nothing temporary
    tool.main([str(ours), str(back), "--to", "authors"])
    last = load_from_local(str(back), "cpu")
    assert last["epoch"] == 31 and last["state_dict"].keys() == weights.keys()
    assert all(torch.equal(weights[k], last["state_dict"][k]) for k in weights)
    capsys.readouterr()
    tool.main([str(theirs), str(backbone), "--to", "mmaction", "--backbone-only"])
    assert "9 names left out" in capsys.readouterr().out
    names = load_from_local(str(backbone), "cpu")["state_dict"]
    assert len(names) == 120 and all(name.startswith("backbone.") for name in names)
    for source, sentence in ((tmp_path / "none.pth", "does not exist"), (theirs, "is the input")):
        with pytest.raises(SystemExit):
            tool.main([str(source), str(theirs), "--to", "mmaction"])
        assert sentence in capsys.readouterr().err


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
        (dict(state_dict=Evil()), "mmaction", "could run code"),
    ],
)
def test_what_cannot_be_converted_is_one_sentence_and_no_file(
    tool, tmp_path: Path, capsys, content, target, sentence
) -> None:
    source = tmp_path / "in.pth"
    torch.save(content, source)
    with pytest.raises(SystemExit) as stop:
        tool.main([str(source), str(tmp_path / "out.pth"), "--to", target])
    said = capsys.readouterr().err
    assert stop.value.code == 2 and said.count("\n") == 1
    assert str(source) in said and sentence in said
    assert [p.name for p in tmp_path.iterdir()] == ["in.pth"]
