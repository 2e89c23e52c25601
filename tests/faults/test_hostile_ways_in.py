"""A hostile checkpoint by every way in that a user has: named, refused, and nothing has run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.model import BaseModule

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
def hostile(tmp_path: Path) -> Path:
    """What mmengine writes, with a program instead of one weight."""
    checkpoint = dict(
        meta=dict(epoch=1, iter=2, seed=0),
        state_dict={"backbone.conv1.conv.weight": RunsCommand(f"touch {tmp_path / 'ran'}")},
        message_hub=dict(log_scalars={}, runtime_info={}, resumed_keys={}),
    )
    torch.save(checkpoint, tmp_path / "hostile.pth")
    return tmp_path / "hostile.pth"


def test_the_file_is_live(hostile: Path, tmp_path: Path) -> None:
    torch.load(hostile, weights_only=False)
    assert (tmp_path / "ran").exists()


def finetuning(video_set: Path) -> Config:
    """BackboneLoadingHook reads what the Runner has loaded."""
    cfg = Config.fromfile(ROOT / "tests" / "data" / "tiny_finetune.py")
    for loader in (cfg.train_dataloader, cfg.val_dataloader, cfg.test_dataloader):
        loader.dataset.ann_file = str(video_set / "train.txt")
        loader.dataset.data_prefix = dict(video=str(video_set))
    assert any(hook.type == "BackboneLoadingHook" for hook in cfg.custom_hooks)
    return cfg


@pytest.mark.parametrize(
    "command",
    [
        "convert_checkpoint.py HOSTILE OUT --to mmaction",
        "train.py CONFIG --work-dir OUT --cfg-options load_from=HOSTILE",
        "train.py CONFIG --work-dir OUT --resume",
        pytest.param("train.py CONFIG --work-dir OUT --resume HOSTILE", marks=full),
        pytest.param("test.py CONFIG HOSTILE --work-dir OUT", marks=full),
        pytest.param("extract_features.py CONFIG HOSTILE --out OUT", marks=full),
        pytest.param(
            "train.py FINETUNING --work-dir OUT --cfg-options load_from=HOSTILE", marks=full
        ),
    ],
)
def test_tools(
    command: str, hostile: Path, start_program, tiny_config, video_set, tmp_path: Path
) -> None:
    config, finetune, out = tmp_path / "a.py", tmp_path / "b.py", tmp_path / "out"
    tiny_config().dump(str(config))
    finetuning(video_set).dump(str(finetune))
    if command.endswith("--resume"):
        out.mkdir()
        (out / "last_checkpoint").write_text(str(hostile))
    places = dict(CONFIG=config, FINETUNING=finetune, HOSTILE=hostile, OUT=out)
    places["load_from=HOSTILE"] = f"load_from={hostile}"
    tool, *arguments = (places.get(word, word) for word in command.split())
    code, output = start_program(ROOT / "tools" / tool, *arguments).end()
    sentence = f"The checkpoint {hostile} was not loaded: it asks for posix.system"
    assert code != 0 and sentence in output.strip().splitlines()[-1], output[-3000:]
    assert not (tmp_path / "ran").exists()
    assert not list(out.glob("*.pth")) and not out.is_file()


class Small(BaseModule):
    """MMAction2's ResNet3d takes no init_cfg; backbones that do inherit it as here."""

    def __init__(self, init_cfg: dict) -> None:
        super().__init__(init_cfg)
        self.layer = torch.nn.Linear(1, 1)


@pytest.mark.parametrize("way", ["init_cfg", "init_cfg with a prefix", "pretrained"])
def test_pretrained(way: str, hostile: Path, tmp_path: Path, tiny_config) -> None:
    if way == "pretrained":
        backbone = dict(tiny_config().model.backbone, pretrained=str(hostile), pretrained2d=False)
        network = MODELS.build(backbone)
    else:
        prefix = None if way == "init_cfg" else "backbone."
        network = Small(dict(type="Pretrained", checkpoint=str(hostile), prefix=prefix))
    with pytest.raises(ValueError, match=r"hostile\.pth was not loaded: it asks for posix\.system"):
        network.init_weights()
    assert not (tmp_path / "ran").exists()
