"""Every public class and function has a usage example in its docstring, and each example runs."""

from __future__ import annotations

import doctest
import importlib
import inspect
import pkgutil
import re
import shutil
from pathlib import Path

import mmaction.registry
import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope, Registry

import slic_mmaction
from slic_mmaction.collection import Collection
from slic_mmaction.collection.network import Network
from slic_mmaction.evaluation import FeatureKey
from slic_mmaction.evaluation.feature_set import write_index, write_shard

from .conftest import TINY, write_video

MOST_STATEMENTS = 5  # besides imports
VIDEOS = [
    ("walk_1", "train", 0),
    ("walk_2", "train", 0),
    ("run_1", "train", 1),
    ("run_2", "test", 1),
]
API_PAGES = Path(__file__).parents[1] / "docs" / "api"


def public_components() -> dict[str, object]:
    """What is in an ``__all__``, in a registry or on a page of the API, by its full name."""
    modules = [slic_mmaction]
    for module in pkgutil.walk_packages(slic_mmaction.__path__, "slic_mmaction."):
        if module.ispkg or ".hooks." in module.name:  # some hooks are imported by configs only
            modules.append(importlib.import_module(module.name))
    found = [getattr(m, name) for m in modules for name in getattr(m, "__all__", ())]
    registries = [r for r in vars(mmaction.registry).values() if isinstance(r, Registry)]
    found += [component for r in registries for component in r.module_dict.values()]
    for page in sorted(API_PAGES.glob("*.md")):
        for name in re.findall(r"^::: (\S+)", page.read_text(encoding="utf-8"), re.MULTILINE):
            module, _, attribute = name.rpartition(".")
            found.append(getattr(importlib.import_module(module), attribute))
    named = {f"{c.__module__}.{c.__qualname__}": c for c in found if hasattr(c, "__qualname__")}
    return {name: named[name] for name in sorted(named) if name.startswith("slic_mmaction.")}


COMPONENTS = public_components()


def fill(folder: Path) -> Path:
    """Make what examples read: videos, their lists, a config, its weights, an index, features."""
    (folder / "videos").mkdir()
    for seed, (name, split, label) in enumerate(VIDEOS):
        write_video(folder / "videos" / f"{name}.mp4", num_frames=50, seed=seed)
        with open(folder / f"{split}.txt", "a") as file:
            file.write(f"videos/{name}.mp4 {label}\n")

    cfg = Config(Config.fromfile(TINY).to_dict(), format_python_code=False)
    cfg.merge_from_dict(dict(log_level="ERROR", work_dir="work"))
    cfg.train_dataloader.dataset.dataset.ann_file = "train.txt"
    for loader in (cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.gallery.ann_file, loader.dataset.query.ann_file = "train.txt", "test.txt"
    cfg.dump(folder / "slic.py")

    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope("mmaction"):
        weights = MODELS.build(cfg.model).state_dict()
    torch.save(dict(state_dict=weights), folder / "weights.pth")

    shutil.copy(folder / "videos" / "walk_1.mp4", folder / "videos" / "walk_1_copy.mp4")
    network = Network.from_config(cfg, folder / "weights.pth")
    Collection.index(folder / "videos", folder / "index", network)

    logged = folder / "work_dirs" / "slic_r3d_ucf101" / "20260101_000000" / "vis_data"
    logged.mkdir(parents=True)
    (logged / "scalars.json").write_text('{"loss": 2.0, "epoch": 1}\n{"loss": 1.0, "epoch": 2}\n')

    key, names = FeatureKey("weights", "config", "videos"), [name for name, _, _ in VIDEOS]
    write_index(folder / "features", names, key, "backbone")
    clips = {video: np.full((10, 8), video, np.float32) for video in range(len(names))}
    write_shard(folder / "features", key, clips, "iic", (128, 128))
    return folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    MMLogger.get_current_instance()  # else the first example would get its lines
    return fill(tmp_path_factory.mktemp("examples"))


@pytest.mark.parametrize("name", COMPONENTS)
def test_example(name: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = inspect.getdoc(COMPONENTS[name]) or ""
    summary = text.partition("\n")[0]
    assert summary.endswith("."), f"The first line is no sentence: {summary!r}"
    assert "\nExamples:\n" in text, "The docstring has no section 'Examples:'."
    names = {"np": np, "torch": torch}  # as in PyTorch's own examples, all else is imported
    test = doctest.DocTestParser().get_doctest(text, names, name, None, None)
    statements = [e for e in test.examples if not e.source.startswith(("from ", "import "))]
    assert 1 <= len(statements) <= MOST_STATEMENTS
    assert "+SKIP" not in text

    monkeypatch.chdir(folder)
    said: list[str] = []
    runner = doctest.DocTestRunner(
        optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS, verbose=False
    )
    assert not runner.run(test, out=said.append).failed, "".join(said)
