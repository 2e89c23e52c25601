from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
import torch
from mmengine.runner import runner

from slic_mmaction import compat
from slic_mmaction.compat import last_checkpoint
from slic_mmaction.compat.checkpoints import load_from_local
from slic_mmaction.compat.last_checkpoint import find_latest_checkpoint

assert "last_checkpoint" in compat.apply()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Three checkpoints, the last of which is damaged."""
    folder = tmp_path / "work"
    folder.mkdir()
    for epoch in (1, 2, 3):
        torch.save(dict(weight=torch.ones(9)), folder / f"epoch_{epoch}.pth")
        os.utime(folder / f"epoch_{epoch}.pth", (epoch, epoch))
    whole = (folder / "epoch_3.pth").read_bytes()
    (folder / "epoch_3.pth").write_bytes(whole[: len(whole) // 2])
    os.utime(folder / "epoch_3.pth", (3, 3))
    (folder / "last_checkpoint").write_text(str(folder / "epoch_2.pth"))
    return folder


def test_mmengine_asks_the_repaired_function() -> None:
    assert runner.find_latest_checkpoint is find_latest_checkpoint


def test_a_copied_folder_goes_on_from_its_own_checkpoint(work: Path, tmp_path: Path) -> None:
    assert find_latest_checkpoint(str(work)) == str(work / "epoch_2.pth")
    shutil.copytree(work, tmp_path / "copy")
    assert find_latest_checkpoint(str(tmp_path / "copy")) == str(tmp_path / "copy" / "epoch_2.pth")
    # Checkpoints that lie elsewhere.
    (tmp_path / "copy" / "epoch_2.pth").unlink()
    assert find_latest_checkpoint(str(tmp_path / "copy")) == str(work / "epoch_2.pth")
    assert find_latest_checkpoint(str(tmp_path)) is None


@pytest.mark.parametrize("content", [b"", b"\0" * 30, b"\xff\xfe", b"epoch_9.pth", b"/"])
def test_a_damaged_pointer_is_named_with_the_newest_sound_checkpoint(
    work: Path, content: bytes
) -> None:
    (work / "last_checkpoint").write_bytes(content)
    with pytest.raises(ValueError, match=r"last_checkpoint is damaged.*is .*epoch_2\.pth: give it"):
        find_latest_checkpoint(str(work))


def test_a_damaged_checkpoint_is_named_with_the_newest_sound_one(work: Path) -> None:
    with pytest.raises(ValueError, match=r"epoch_3\.pth is damaged .* is .*epoch_2\.pth: give it"):
        load_from_local(str(work / "epoch_3.pth"), "cpu")
    for epoch in (1, 2):
        (work / f"epoch_{epoch}.pth").unlink()
    with pytest.raises(ValueError, match="There is no undamaged checkpoint in"):
        load_from_local(str(work / "epoch_3.pth"), "cpu")


def test_an_mmengine_that_looks_itself_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def looks(path: str) -> str | None:
        return path if os.path.isfile(path) else None

    monkeypatch.setattr(runner, "find_latest_checkpoint", looks)
    assert not last_checkpoint.repair_last_checkpoint()
    assert runner.find_latest_checkpoint is looks
