from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest
from mmengine.runner import Runner

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "tools" / "analysis" / "results.py"


@pytest.fixture(scope="module")
def tool() -> ModuleType:
    spec = importlib.util.spec_from_file_location("results_tool", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def two_seeds(tiny_config, tmp_path: Path) -> Path:
    """Two pretrainings of one epoch, each validated, the first also tested on its own."""
    recorded = dict(default_hooks__run_record=dict(type="RunRecordHook"))
    for seed in (0, 1):
        options = dict(train_cfg__max_epochs=1, train_cfg__val_interval=1, randomness__seed=seed)
        work = tmp_path / "runs" / f"seed{seed}"
        Runner.from_cfg(tiny_config(work, **options, **recorded)).train()
    load = dict(load_from=str(tmp_path / "runs" / "seed0" / "epoch_1.pth"))
    cfg = tiny_config(tmp_path / "runs" / "test", **load, **recorded)
    cfg.test_dataloader.dataset.pipeline[1].update(protocol="iic", num_clips=2)
    Runner.from_cfg(cfg).test()
    return tmp_path / "runs"


def test_real_runs_in_one_table(tool, two_seeds: Path, tmp_path: Path, capsys) -> None:
    out = tmp_path / "table" / "results"
    tool.main([str(two_seeds), "--out", str(out)])
    assert "1 rows, 4 columns" in capsys.readouterr().out
    (row,) = json.loads(out.with_suffix(".json").read_text())["rows"]
    assert row["method"] == ["tiny_slic"] and row["epoch"] == 1 and row["videos"] == 12
    cells = {name: len(cell["values"]) for name, cell in row["cells"].items()}
    center, iic = "retrieval/center_4-frames", "retrieval/iic_2-clips_4-frames"
    assert cells == {f"{center}/R@1": 2, f"{center}/R@5": 2, f"{iic}/R@1": 1, f"{iic}/R@5": 1}
    assert row["cells"][f"{center}/R@1"]["seeds"] == [[0], [1]]
    text = out.with_suffix(".md").read_text()
    assert text.startswith("| method | epoch | data | split | videos | retrieval/center")

    tool.main([str(two_seeds), "--metric", f"{iic}/R@1"])
    printed = capsys.readouterr().out
    assert f"{iic}/R@1" in printed and center not in printed

    with pytest.raises(SystemExit) as stop:
        tool.main([str(two_seeds), "--metric", "R@1"])
    said = capsys.readouterr().err
    assert stop.value.code == 2 and said.count("\n") == 1 and "under 2 protocols" in said


def test_nothing_to_show_is_one_sentence(tool, tiny_config, tmp_path: Path, capsys) -> None:
    stopped = tmp_path / "stopped" / "20260101_000000" / "vis_data"
    stopped.mkdir(parents=True)
    tiny_config().dump(str(stopped / "config.py"))
    for name, sentence in (("stopped", "has been evaluated"), ("none", "no work directory")):
        with pytest.raises(SystemExit) as stop:
            tool.main([str(tmp_path / name)])
        said = capsys.readouterr().err
        assert stop.value.code == 2 and said.count("\n") == 1 and sentence in said


@pytest.mark.slow
def test_command_line(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, str(SOURCE), str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        env=dict(os.environ, OMP_NUM_THREADS="1"),
    )
    assert done.returncode == 2 and "There is no run below" in done.stderr
