"""Work directories as runs leave them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from mmengine.config import Config

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def left_by(tmp_path: Path) -> Callable[..., Path]:
    """Write what a run with a record leaves behind; returns its work directory."""

    def write(
        work_dir: str,
        start: str,
        config: str,
        record: dict[str, Any],
        test: dict[str, float] | None = None,
        val: list[dict[str, float]] = (),
        **options: Any,
    ) -> Path:
        folder = tmp_path / work_dir / start
        (folder / "vis_data").mkdir(parents=True)
        cfg = Config.fromfile(CONFIGS / config)
        cfg.merge_from_dict(options)
        cfg.dump(str(folder / "vis_data" / "config.py"))
        (folder / "run_record.json").write_text(json.dumps(record))
        if test is not None:
            (folder / f"{start}.json").write_text(json.dumps(test))
        if val:
            lines = "\n".join(json.dumps(line) for line in val)
            (folder / "vis_data" / "scalars.json").write_text(lines + "\n")
        return tmp_path / work_dir

    return write


@pytest.fixture
def trained() -> Callable[..., dict[str, Any]]:
    """The record of a pretraining, or of a finetuning from one."""

    def make(name: str = "slic", seed: int = 0, **fields: Any) -> dict[str, Any]:
        return {
            "name": name,
            "config_hash": f"hash-{name}",
            "family": f"family-{name.replace('_split2', '').replace('_split3', '')}",
            "seed": seed,
            "commit": "abc",
            "origin": None,
            **fields,
        }

    return make
