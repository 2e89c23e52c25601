"""A hostile checkpoint by every way in that a user has: named, refused, and nothing has run."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.model import BaseModule
from mmengine.registry import init_default_scope

pytestmark = pytest.mark.faults
full = pytest.mark.faults(full=True)

ROOT = Path(__file__).parents[2]


class RunsCommand:
    """Runs a shell command when it is unpickled."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.fixture
def marker(tmp_path: Path) -> Path:
    return tmp_path / "ran"


@pytest.fixture
def hostile(tmp_path: Path, marker: Path) -> Path:
    """What mmengine writes, with a program in the place of one weight."""
    checkpoint = dict(
        meta=dict(epoch=1, iter=2, seed=0),
        state_dict={"backbone.conv1.conv.weight": RunsCommand(f"touch {marker}")},
        message_hub=dict(log_scalars={}, runtime_info={}, resumed_keys={}),
    )
    torch.save(checkpoint, tmp_path / "hostile.pth")
    return tmp_path / "hostile.pth"


@pytest.fixture
def refused(hostile: Path, marker: Path, fault_row: Callable) -> Callable[[str, int, str], None]:
    """Check how a program ended that was given the hostile file."""

    def check(way: str, code: int, output: str) -> None:
        last = output.strip().splitlines()[-1]
        sentence = f"The checkpoint {hostile} was not loaded: it asks for posix.system"
        assert code != 0 and sentence in last, output[-3000:]
        assert not marker.exists()
        fault_row(f"hostile checkpoint: {way}", 1, "refused with a sentence, nothing ran")

    return check


def test_the_file_is_live(hostile: Path, marker: Path) -> None:
    torch.load(hostile, weights_only=False)
    assert marker.exists()


def run_tool(name: str, *arguments: object) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, str(ROOT / "tools" / name), *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=dict(os.environ, OMP_NUM_THREADS="1"),
    )
    return done.returncode, done.stdout


def test_convert(hostile: Path, refused, tmp_path: Path) -> None:
    code, output = run_tool("convert_checkpoint.py", hostile, tmp_path / "out", "--to", "mmaction")
    refused("tools/convert_checkpoint.py", code, output)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("way", ["load_from", "--resume PATH", "--resume"])
def test_train(way: str, hostile: Path, refused, fault_config, start, tmp_path: Path) -> None:
    work_dir = tmp_path / "work"
    work_dir.mkdir()
    (work_dir / "last_checkpoint").write_text(str(hostile))
    arguments = {
        "load_from": ("--cfg-options", f"load_from={hostile}"),
        "--resume PATH": ("--resume", str(hostile)),
        "--resume": ("--resume",),
    }[way]
    refused(f"tools/train.py, {way}", *start(fault_config(), work_dir, *arguments).end())
    assert not list(work_dir.glob("*.pth"))


@full
def test_test(hostile: Path, refused, tiny_config, tmp_path: Path) -> None:
    tiny_config().dump(str(tmp_path / "config.py"))
    arguments = (tmp_path / "config.py", hostile, "--work-dir", tmp_path / "work")
    refused("tools/test.py", *run_tool("test.py", *arguments))


@full
def test_extract_features(hostile: Path, refused, tiny_config, tmp_path: Path) -> None:
    tiny_config().dump(str(tmp_path / "config.py"))
    arguments = (tmp_path / "config.py", hostile, "--out", tmp_path / "features")
    refused("tools/extract_features.py", *run_tool("extract_features.py", *arguments))


@full
def test_finetuning(hostile: Path, refused, start, video_set: Path, tmp_path: Path) -> None:
    """BackboneLoadingHook reads what the Runner has loaded."""
    cfg = Config.fromfile(ROOT / "tests" / "data" / "tiny_finetune.py")
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.ann_file = str(video_set / "train.txt")
        loader.dataset.data_prefix = dict(video=str(video_set))
    cfg.load_from = str(hostile)
    assert any(hook.type == "BackboneLoadingHook" for hook in cfg.custom_hooks)
    cfg.dump(str(tmp_path / "config.py"))
    refused("finetuning", *start(tmp_path / "config.py", tmp_path / "work").end())


class Small(BaseModule):
    """MMAction2's ResNet3d takes no init_cfg; backbones that do inherit it as here."""

    def __init__(self, init_cfg: dict) -> None:
        super().__init__(init_cfg)
        self.layer = torch.nn.Linear(1, 1)


@pytest.mark.parametrize("way", ["init_cfg", "init_cfg with a prefix", "pretrained"])
def test_pretrained(way: str, hostile: Path, marker: Path, tiny_config, fault_row) -> None:
    init_default_scope("mmaction")
    if way == "pretrained":
        backbone = dict(tiny_config().model.backbone, pretrained=str(hostile), pretrained2d=False)
        network = MODELS.build(backbone)
    else:
        prefix = None if way == "init_cfg" else "backbone."
        network = Small(dict(type="Pretrained", checkpoint=str(hostile), prefix=prefix))
    with pytest.raises(ValueError, match=r"hostile\.pth was not loaded: it asks for posix\.system"):
        network.init_weights()
    assert not marker.exists()
    fault_row(f"hostile checkpoint: {way}", 1, "refused with a sentence, nothing ran")
