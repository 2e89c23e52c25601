"""The tool in a tree of its own, with two configs of which one is broken."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from slic_mmaction.backbones.table import BEGIN, END

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "tools" / "analysis" / "backbone_table.py"
BASE = f"""_base_ = "{ROOT}/tests/data/tiny_slic.py"
train_dataloader = dict(dataset=dict(dataset=dict(ann_file="train.txt")))
searched = dict(query=dict(ann_file="val.txt"), gallery=dict(ann_file="train.txt"))
val_dataloader = dict(dataset=searched)
test_dataloader = dict(dataset=searched)
"""
OVERRIDES = "SMALL, CLIPS, USUAL_CLIP = {}, {}, (4, 16)\n"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name in ("tools/analysis", "configs/backbones", "docs"):
        (tmp_path / name).mkdir(parents=True)
    shutil.copy(SOURCE, tmp_path / "tools" / "analysis")
    (tmp_path / "tools/analysis/backbone_overrides.py").write_text(OVERRIDES)
    (tmp_path / "docs/backbones.md").write_text(f"# Page\n\n{BEGIN}\n{END}\n\nEnd.\n")
    configs = tmp_path / "configs" / "backbones"
    (configs / "slic_good_ucf101.py").write_text(BASE)
    (configs / "slic_bad_ucf101.py").write_text(BASE + "model = dict(backbone=dict(depth=19))\n")
    (configs / "slic_good_slim_ucf101.py").write_text(BASE)
    return tmp_path


def run(tree: Path, *arguments: str) -> tuple[subprocess.CompletedProcess, list[dict], str]:
    command = [sys.executable, str(tree / "tools" / "analysis" / SOURCE.name), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    rows = json.loads((tree / "benchmarks" / "results" / "backbones.json").read_text())
    return done, rows, (tree / "docs" / "backbones.md").read_text()


def test_each_config_for_itself_and_only_what_is_not_settled(tree: Path) -> None:
    done, (_, good), page = run(tree)
    assert done.returncode == 0, done.stderr
    assert "slic_good_ucf101: verified" in done.stdout
    assert "slic_bad_ucf101: figures: " in done.stdout and "invalid depth 19" in done.stdout
    assert (good["width"], good["frames"], good["pixels"]) == (32, 4, 16)
    assert good["forward_seconds"] > 0 and len(good["losses"]) == 2
    assert all(0 <= value <= 100 for value in good["retrieval"].values())
    assert "[slic_good_ucf101]" in page and "invalid depth 19" in page
    assert page.startswith("# Page\n") and page.endswith("End.\n")

    # A row without config goes, and one that is settled is not examined again.
    (tree / "configs/backbones/slic_bad_ucf101.py").unlink()
    done, rows, page = run(tree)
    assert done.stdout == "" and rows == [good] and "slic_bad" not in page

    done, rows, _ = run(tree, "slic_other_ucf101")
    assert done.returncode == 2 and rows == [good]
    assert done.stderr.rstrip().endswith("slic_other_ucf101: choose among slic_good_ucf101.")
