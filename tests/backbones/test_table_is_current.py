"""docs/backbones.md keeps up with configs/backbones."""

from __future__ import annotations

import re
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from mmengine.config import Config

from slic_mmaction.backbones.examine import Row, config_paths, describes
from slic_mmaction.backbones.figures import build_recognizer, count_parameters
from slic_mmaction.backbones.required import missing_package
from slic_mmaction.backbones.table import put_between_markers, read_rows, to_markdown

ROOT = Path(__file__).parents[2]
PATHS = config_paths(ROOT / "configs" / "backbones")
ROWS = {row.config: row for row in read_rows(ROOT / "benchmarks" / "results" / "backbones.json")}
AGAIN = "run python tools/analysis/backbone_table.py"
CHEAP = ("c3d", "i3d", "omni_resnet", "r2plus1d", "r3d50", "slowonly", "tsm", "tsn", "x3d")


def is_cheap(row: Row) -> bool:
    return row.config in {f"slic_{family}_ucf101" for family in CHEAP}


def marked(row: Row):
    return pytest.param(row, id=row.config, marks=[] if is_cheap(row) else pytest.mark.slow)


def test_every_config_has_a_row_and_every_row_a_config() -> None:
    assert ROWS and list(ROWS) == list(PATHS), AGAIN


@pytest.mark.parametrize("name", ROWS)
def test_a_row_is_of_its_config_and_everything_worked(name: str) -> None:
    row = ROWS[name]
    assert describes(row, Config.fromfile(PATHS[name])), AGAIN
    assert not row.problems
    if row.missing is None:
        assert row.losses and row.retrieval
        assert all(0 <= value <= 100 for value in row.retrieval.values())


def test_the_page_shows_the_rows() -> None:
    page = (ROOT / "docs" / "backbones.md").read_text(encoding="utf-8")
    assert put_between_markers(page, to_markdown(list(ROWS.values()))) == page, AGAIN


def test_the_page_shows_a_config_as_it_is() -> None:
    page = (ROOT / "docs" / "backbones.md").read_text(encoding="utf-8")
    config = PATHS["slic_swin_ucf101"].read_text(encoding="utf-8")
    assert f"`configs/backbones/slic_swin_ucf101.py`:\n\n```python\n{config}```\n" in page


def test_the_swap_of_the_page_is_built(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "backbones.md").read_text(encoding="utf-8")
    base = '_base_ = "slic_r3d_ucf101.py"'
    (delta,) = (part for part in re.findall(r"```python\n(.*?)```", page, re.S) if base in part)
    config = tmp_path / "swapped.py"
    config.write_text(delta.replace(base, f'_base_ = "{ROOT}/configs/slic_r3d_ucf101.py"'))
    with torch.device("meta"):
        recognizer = build_recognizer(Config.fromfile(config))
    assert type(recognizer.backbone).__name__ == "ResNet3dSlowOnly"
    assert recognizer.cls_head.in_channels == 2048


@pytest.mark.parametrize("row", [marked(row) for row in ROWS.values() if row.missing is None])
def test_width_and_parameters_are_those_of_the_table(row: Row) -> None:
    if missing_package(row.backbone) is not None:
        pytest.skip(f"{row.backbone} needs {missing_package(row.backbone)}")
    # Without values, if no constructor looks at them, the network costs no time.
    with torch.device("meta") if is_cheap(row) else nullcontext():
        recognizer = build_recognizer(Config.fromfile(PATHS[row.config]))
    assert recognizer.cls_head.in_channels == row.width, AGAIN
    assert count_parameters(recognizer) == row.parameters, AGAIN
