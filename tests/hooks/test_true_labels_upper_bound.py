"""The supervised upper bound uses true labels, says so, and is out of reach of every other run."""

from __future__ import annotations

from pathlib import Path

import pytest
from mmengine.config import Config

import slic_mmaction
from slic_mmaction.hooks.true_labels_upper_bound import TrueLabelsUpperBoundHook

from ..runs import labels_of, log_of, train

CONFIGS = Path(__file__).parents[2] / "configs"
MODULE = TrueLabelsUpperBoundHook.__module__
HOOKS = [dict(type="TrueLabelsUpperBoundHook")]


def test_it_trains_with_the_true_labels_and_says_so(tiny_config) -> None:
    runner = train(tiny_config(custom_hooks=HOOKS))
    store = runner.train_dataloader.dataset.store
    assert store.labels.tolist() == [0, 1] * 4 and store.epoch == 1
    assert "THIS RUN IS SUPERVISED" in log_of(runner)
    resumed = train(tiny_config(custom_hooks=HOOKS, resume=True, train_cfg__max_epochs=3))
    assert labels_of(resumed) == [0, 1] * 4


def test_what_has_no_true_labels_stops_it(tiny_config, video_set: Path, tmp_path: Path) -> None:
    path = tmp_path / "unlabelled.txt"
    path.write_text("".join(f"train_{i}.mp4\n" for i in range(8)))
    cfg = tiny_config(custom_hooks=HOOKS)
    cfg.train_dataloader.dataset.dataset.ann_file = str(path)
    with pytest.raises(ValueError, match=r"needs one label .*unlabelled\.txt have none"):
        train(cfg)
    cfg.train_dataloader.dataset = dict(cfg.train_dataloader.dataset.dataset, pipeline=[])
    with pytest.raises(TypeError, match="ClusterAwareDataset, but it is VideoDataset"):
        train(cfg)


def test_one_config_asks_for_it_and_nothing_else_imports_it() -> None:
    package = Path(slic_mmaction.__file__).parent
    for path in package.rglob("*.py"):
        assert path.stem == "true_labels_upper_bound" or MODULE.split(".")[-1] not in (
            path.read_text()
        )
    paths = [path for path in CONFIGS.rglob("*.py") if "true_labels" in path.read_text().lower()]
    assert [path.name for path in paths] == ["slic_r3d_ucf101_UPPER_BOUND_true_labels.py"]
    cfg = Config.fromfile(paths[0])
    assert [hook.type for hook in cfg.custom_hooks] == [hook["type"] for hook in HOOKS]
    assert cfg.custom_imports.imports == ["slic_mmaction", MODULE]
