from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.registry import init_default_scope

from slic_mmaction.evaluation import load_features

pytestmark = pytest.mark.slow

TOOL = "extract_features.py"
TINY_FINETUNE = Path(__file__).parents[1] / "data" / "tiny_finetune.py"


@pytest.fixture
def inputs(tiny_config, tmp_path: Path) -> tuple[Path, Path]:
    """A config file and a checkpoint."""
    init_default_scope("mmaction")
    cfg = tiny_config()
    cfg.dump(str(tmp_path / "tiny.py"))
    torch.manual_seed(0)
    model = MODELS.build(cfg.model)
    torch.save(dict(meta={}, state_dict=model.state_dict()), tmp_path / "weights.pth")
    return tmp_path / "tiny.py", tmp_path / "weights.pth"


@pytest.fixture
def call(tool, monkeypatch):
    def run(*arguments: object) -> None:
        monkeypatch.setattr(sys, "argv", ["extract_features.py", *map(str, arguments)])
        tool.main()

    return run


def test_query_and_gallery(call, inputs, tmp_path: Path, capsys) -> None:
    out = tmp_path / "out"
    call(*inputs, "--out", out, "--npy", "--shard-videos", 3)
    assert f"{out / 'gallery'}: 8 videos x 1 clips x 8" in capsys.readouterr().out
    gallery = load_features(out / "gallery")
    assert [Path(name).name for name in gallery.names] == [f"train_{i}.mp4" for i in range(8)]
    assert gallery.clips()[0].shape == (8, 8) and gallery.layer == "projection"
    assert len(load_features(out / "query")) == 4
    np.testing.assert_array_equal(np.load(out / "gallery.npy"), gallery.means())
    assert np.load(out / "gallery_labels.npy").tolist() == [i % 2 for i in range(8)]
    # The same call again reads what is there; another layer is not mixed in.
    before = (out / "gallery" / "index.json").stat().st_mtime_ns
    call(*inputs, "--out", out)
    assert (out / "gallery" / "index.json").stat().st_mtime_ns == before
    with pytest.raises(SystemExit) as stop:
        call(*inputs, "--out", out, "--layer", "backbone")
    assert stop.value.code == 2
    said = capsys.readouterr().err
    assert "holds features of other weights" in said and said.count("\n") == 1


def test_any_recognizer_and_any_dataset(call, inputs, tmp_path: Path, video_set: Path) -> None:
    cfg = Config.fromfile(inputs[0])
    cfg.model.cls_head = dict(type="I3DHead", num_classes=2, in_channels=32)
    pipeline = Config.fromfile(TINY_FINETUNE).pipeline
    pipeline[1].num_clips = 3
    cfg.test_dataloader.dataset = dict(
        type="VideoDataset",
        ann_file=str(video_set / "test.txt"),
        data_prefix=dict(video=str(video_set)),
        test_mode=True,
        pipeline=pipeline,
    )
    cfg.dump(str(tmp_path / "stock.py"))
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), tmp_path / "stock.pth")
    call(tmp_path / "stock.py", tmp_path / "stock.pth", "--out", tmp_path / "out")
    features = load_features(tmp_path / "out")
    assert features.clips()[0].shape == (4 * 3, 32)
    assert features.layer == "backbone" and features.protocol is None


def test_wrong_use_is_one_sentence(call, inputs, tmp_path: Path, capsys) -> None:
    config, weights = inputs
    cases = {
        (config, tmp_path / "none.pth", "--out", tmp_path / "a"): "does not exist",
        (config, weights, "--out", tmp_path / "b", "--cfg-options", "model.backbone.depth=34"): (
            "lacks"
        ),
        (config, weights, "--out", tmp_path / "c", "--cfg-options", "test_dataloader=None"): (
            "has no test_dataloader"
        ),
    }
    for arguments, sentence in cases.items():
        with pytest.raises(SystemExit) as stop:
            call(*arguments)
        said = capsys.readouterr().err
        assert stop.value.code == 2 and sentence in said.splitlines()[-1], said
