"""tools/dev/backbone_table.py, its page, and what a trial notices."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import ModuleType

import pytest
from mmengine.config import Config

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "backbones.md").read_text(encoding="utf-8")
TINY = ROOT / "tests" / "data" / "tiny_slic.py"


@pytest.fixture
def table(analysis) -> ModuleType:
    return analysis("backbone_table")


BASE = f"""_base_ = "{ROOT}/tests/data/tiny_slic.py"
train_dataloader = dict(dataset=dict(dataset=dict(ann_file="train.txt")))
searched = dict(query=dict(ann_file="val.txt"), gallery=dict(ann_file="train.txt"))
val_dataloader = dict(dataset=searched)
test_dataloader = dict(dataset=searched)
"""


@pytest.mark.slow
def test_only_what_is_new_is_examined(table, tmp_path: Path, monkeypatch, capsys) -> None:
    page, rows_file, examined = tmp_path / "page.md", tmp_path / "rows.json", []
    for name, value in (("CONFIGS", tmp_path), ("ROWS", rows_file), ("PAGE", page)):
        monkeypatch.setattr(table, name, value)
    monkeypatch.setattr(Config, "pretty_text", property(repr))
    real = table.examine
    monkeypatch.setattr(
        table, "examine", lambda path, videos: [examined.append(path.stem), real(path, videos)][1]
    )
    page.write_text(f"# Page\n\n{table.BEGIN}\n{table.END}\n\nEnd.\n")
    (tmp_path / "slic_good_ucf101.py").write_text(BASE)
    (tmp_path / "slic_bad_ucf101.py").write_text(BASE + "model = dict(backbone=dict(depth=19))\n")
    for name in ("slic_good_slim_ucf101", "finetune_good_ucf101"):
        (tmp_path / f"{name}.py").write_text(BASE)
    table.main([])
    bad, good = json.loads(rows_file.read_text())
    assert examined == ["slic_bad_ucf101", "slic_good_ucf101"]
    assert "invalid depth 19" in bad["problems"]["figures"] and not good["problems"]
    assert (good["width"], good["frames"], good["pixels"]) == (32, 4, 16)
    assert good["forward_seconds"] > 0 and len(good["losses"]) == 2 and good["machine"]
    assert all(0 <= value <= 100 for value in good["retrieval"].values())
    text = page.read_text()
    assert "[good](../configs/backbones/slic_good_ucf101.py)" in text and "no: KeyError" in text
    assert text.startswith("# Page\n") and text.endswith("End.\n")

    # A failure is tried again, a row without config goes, one that is current stays.
    table.main([])
    assert examined[2:] == ["slic_bad_ucf101"]
    (tmp_path / "slic_bad_ucf101.py").unlink()
    table.main([])
    assert examined[3:] == [] and json.loads(rows_file.read_text()) == [good]
    with pytest.raises(SystemExit, match="2"):
        table.main(["slic_other_ucf101"])
    assert "choose among slic_good_ucf101." in capsys.readouterr().err
    page.write_text("no markers")
    with pytest.raises(SystemExit, match="2"):
        table.main([])
    assert "no place for the table" in capsys.readouterr().err


def test_a_row_is_current_until_network_or_clips_change(table, analysis, monkeypatch) -> None:
    cfg = Config.fromfile(TINY)
    row = dict(table.identity(cfg), problems={}, missing=None)
    assert table.is_current(row, cfg)
    cfg.optim_wrapper.optimizer.lr = 1.0
    assert table.is_current(row, cfg)
    for change in (
        dict(backbone=dict(base_channels=5)),
        dict(backbone=dict(type="ResNet3dSlowOnly")),
        dict(neck=dict(type="TPN")),
    ):
        changed = Config.fromfile(TINY)
        changed.merge_from_dict(dict(model=change))
        assert not table.is_current(row, changed)
    cfg.custom_hooks[0].pipeline[1].clip_len = 8
    assert not table.is_current(row, cfg)
    assert not table.is_current(dict(row, problems=dict(retrieval="no")), Config.fromfile(TINY))

    # A package that was missing and came.
    trial = analysis("backbone_trial")
    cfg.model.backbone.type = "timm.resnet"
    row = dict(table.identity(cfg), problems={}, missing="timm")
    for installed in (True, False):
        monkeypatch.setattr(trial, "find_spec", lambda name, found=installed: found or None)
        assert table.is_current(row, cfg) is not installed
        assert table.is_current(dict(row, missing=None), cfg)
    needs = {"ResNet3d": None, "timm.swin_base": "timm", "torchvision.densenet161": "torchvision"}
    needs |= {"mmpretrain.ResNeXt": "mmpretrain", "MobileOneTSM": "mmpretrain"}
    needs |= {"ResNetTSM": None, "ResNetTIN": "full mmcv and a GPU"}
    assert {backbone: trial.missing_package(backbone) for backbone in needs} == needs


def test_a_stage_that_failed_says_why(table) -> None:
    """What was found, and what is missing, the page shows: above."""
    row = json.loads(table.ROWS.read_text())[0]
    row.update(problems=dict(pretraining="a | b" + "x" * 1000), losses=[], retrieval={})
    *_, seconds, verified = table.cells(row)
    assert seconds.endswith(" s")
    assert verified.startswith("no: a \\| bxxx") and len(verified) < 200


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"optim_wrapper.optimizer.lr": 0.0}, "did not change backbone.conv1.conv.weight"),
        ({"model.backbone.frozen_stages": 4}, "no weight of the backbone is trained"),
        ({"custom_hooks.0.clusterer": None}, "no clustering took place"),
    ],
)
def test_a_trial_notices_what_does_not_work(
    analysis, video_set: Path, tmp_path: Path, monkeypatch, options: dict, said: str
) -> None:
    monkeypatch.setattr(Config, "pretty_text", property(repr))
    trial, cfg = analysis("backbone_trial"), Config.fromfile(TINY)
    for part in (cfg.train_dataloader.dataset.dataset, cfg.test_dataloader.dataset.gallery):
        part.ann_file = "train.txt"
    cfg = trial.small_run(cfg, "none", video_set, tmp_path / "run")
    cfg.merge_from_dict(options)
    with pytest.raises(RuntimeError, match=said):
        trial.try_pretraining(cfg)


def blocks(page: str) -> list[str]:
    return re.findall(r"```py(?:thon)?\n(.*?)```", page, re.DOTALL)


@pytest.mark.slow
def test_the_backbone_of_the_page_is_pretrained_and_searched_with(
    analysis, video_set: Path, tmp_path: Path, monkeypatch
) -> None:
    """docs/own_backbone.md, and the swap of docs/backbones.md, taken from the pages."""
    trial, table = analysis("backbone_trial"), analysis("backbone_table")
    base, ours = '_base_ = "slic_r3d_ucf101.py"', f'_base_ = "{ROOT}/configs/slic_r3d_ucf101.py"'
    monkeypatch.setattr(Config, "pretty_text", property(repr))
    module, config = blocks((ROOT / "docs" / "own_backbone.md").read_text(encoding="utf-8"))
    assert base in config and len(module.splitlines()) <= 20
    (tmp_path / "my_backbone.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    path = tmp_path / "slic_my_backbone_ucf101.py"
    path.write_text(config.replace(base, ours))
    cfg = Config.fromfile(path)
    evaluation = Config.fromfile(ROOT / "configs" / "retrieval" / "slic_r3d_ucf101.py")
    for part in ("test_dataloader", "test_evaluator", "test_cfg"):
        cfg[part] = evaluation[part]
    assert table.MODELS.build(cfg.model).cls_head.in_channels == 128
    cfg = trial.small_run(cfg, "my_backbone", video_set, tmp_path / "run")
    assert len(trial.try_pretraining(cfg)) == 2
    assert {"retrieval/R@1", "retrieval/mAP"} <= set(trial.try_retrieval(cfg))

    (swap,) = (block for block in blocks(PAGE) if base in block)
    path.write_text(swap.replace(base, ours))
    with table.torch.device("meta"):
        model = table.MODELS.build(Config.fromfile(path).model)
    assert type(model.backbone).__name__ == "ResNet3dSlowOnly"
    assert model.cls_head.in_channels == 2048
