"""The Python of README and docs runs as it is written, and what they point to is there."""

from __future__ import annotations

import re
import shutil
from argparse import Namespace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.apis import init_recognizer
from mmaction.registry import (
    HOOKS,
    MODELS,
    OPTIM_WRAPPERS,
    OPTIMIZERS,
    TASK_UTILS,
    TRANSFORMS,
    VISBACKENDS,
)
from mmengine.config import Config

from slic_mmaction.collection import Collection
from slic_mmaction.collection.network import Network
from slic_mmaction.evaluation import FeatureKey
from slic_mmaction.evaluation.feature_set import write_index, write_shard

ROOT = Path(__file__).parents[1]
DOCS = [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]
PAGES = [*ROOT.glob("*.md"), *DOCS[1:], *ROOT.glob("benchmarks/results/*.md")]


def blocks(page: Path) -> list[tuple[str, str]]:
    """Kind and text: ``python`` runs as it is written, ``py`` is a config or a part of one."""
    return re.findall(r"```(python|py)\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, video_set: Path) -> Path:
    """What the pages speak of: copies of the configs, a video, checkpoints and features."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(ROOT / "configs", folder / "configs")
    shutil.copy(video_set / "train_6.mp4", folder / "video.mp4")
    tiny = f"_base_ = {str(ROOT / 'tests' / 'data' / 'tiny_finetune.py')!r}\n"
    finetune = folder / "configs" / "finetune" / "slic_r3d_ucf101.py"
    finetune.write_text(tiny + "test_pipeline = _base_.pipeline\n")
    weights = init_recognizer(str(finetune), device="cpu").state_dict()
    torch.save(dict(model=weights, options=Namespace()), folder / "checkpoint.pth")
    torch.save(dict(state_dict=weights), folder / "finetuned.pth")
    key, features = FeatureKey("weights", "config", "videos"), folder / "features/ucf101/gallery"
    write_index(features, ["a.mp4"], key, "backbone")
    write_shard(features, key, {0: np.ones((2, 4), np.float32)}, "iic", (128, 128))
    (folder / "videos").mkdir()
    for i in range(3, 7):
        shutil.copy(video_set / f"train_{i}.mp4", folder / "videos")
    cfg = Config.fromfile(ROOT / "tests" / "data" / "tiny_slic.py")
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), folder / "slic.pth")
    network = Network.from_config(cfg, folder / "slic.pth")
    network.save(folder / "run" / "model.pth")
    Collection.index(folder / "videos", folder / "index", network)
    shutil.copytree(folder / "videos", folder / "my_videos")
    Collection(folder / "index").export(folder / "windows.parquet")
    return folder


@pytest.mark.parametrize("page", filter(blocks, DOCS), ids=lambda page: page.name)
def test_python_of_the_pages_runs(page: Path, folder: Path, monkeypatch) -> None:
    """All blocks of a page one after the other, configs in the place of a user's own."""
    monkeypatch.chdir(folder)
    for registry in (MODELS, TASK_UTILS, TRANSFORMS):
        monkeypatch.setattr(registry, "_module_dict", dict(registry._module_dict))
    MODELS._module_dict.pop("TwoConvolutions", None)
    rows, labels = np.eye(6), [0, 0, 1, 1, 2, 2]
    names = dict(query=rows, query_labels=labels, gallery=rows, gallery_labels=labels)
    names["CHECKPOINT"] = "finetuned.pth"
    for kind, text in blocks(page):
        # The last line of a recipe opens a page and waits.
        text = re.sub(r"^(fo\.launch_app|ls\.start_gui)\(.*", "", text, flags=re.MULTILINE)
        code = compile(text, str(page), "exec")
        if any(
            find_spec(name) is None for name in re.findall(r"^import (\w+)", text, re.MULTILINE)
        ):
            continue  # of a program that this project does not need
        if kind == "python":
            if "MMAction2Inferencer" in text:
                pytest.importorskip("decord")  # MMAction2's inferencer puts DecordInit first
            exec(code, names)
            continue
        if "_base_ =" not in text:
            text = f'_base_ = "slic_r3d_ucf101.py"\n{text}'
        own = Path("configs", "backbones", "of_the_page.py")
        own.write_text(text.replace('"slic_r3d_', '"../slic_r3d_'))
        Config.fromfile(own, import_custom_modules=False)
        for name in re.findall(r'\btype="(\w+)"', text):
            registries = (HOOKS, MODELS, OPTIMIZERS, OPTIM_WRAPPERS, TASK_UTILS, TRANSFORMS)
            known = [registry.get(name) for registry in (*registries, VISBACKENDS)]
            assert any(known) or name == "TwoConvolutions", name


def test_links_of_the_docs_lead_somewhere() -> None:
    links = [
        (page, *link.partition("#")[::2])
        for page in PAGES
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8"))
        if not link.startswith("http")
    ]
    assert len(links) > 50
    for page, path, heading in links:
        target = page.parent / path if path else page
        assert target.exists(), f"{page}: {path}"
        titles = re.findall(r"^#+ (.+)$", target.read_text(), re.MULTILINE) if heading else []
        names = [re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles]
        assert heading in ["", *names], f"{page}: {path}#{heading}"


def test_messages_of_the_troubleshooting_page_stand_in_the_code() -> None:
    """What the page quotes is what the program says; upstreams' own messages are left out."""
    files = [*ROOT.glob("slic_mmaction/**/*.py"), *ROOT.glob("tools/**/*.py")]
    # Adjacent strings are one message, and an expression in braces may become anything.
    code = re.sub(r'"\s*\n\s*f?"', "", "".join(path.read_text("utf-8") for path in files))
    page = (ROOT / "docs" / "troubleshooting.md").read_text("utf-8").split("## Videos")[1]
    quoted = re.findall(r"^\| `([^`]+)`", page, re.MULTILINE)
    assert len(quoted) > 20
    figures = r"\.\.\.|\b\d[\d.]*|\bnan\b|LostRankError: Rank|because|another rank|'.*'|[()]"
    parts = {part.strip(" :=") for message in quoted for part in re.split(figures, message)}
    assert [part for part in parts if part not in code] == ["CUDA out of memory"]
