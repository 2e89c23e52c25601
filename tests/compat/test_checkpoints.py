"""Checkpoints: what mmengine writes is read back whole, and nothing in a file is run."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmengine.hooks import Hook
from mmengine.logging import HistoryBuffer
from mmengine.model import BaseModel
from mmengine.runner import Runner
from mmengine.runner.checkpoint import CheckpointLoader, load_checkpoint, load_from_http
from torch.utils.data import TensorDataset

from slic_mmaction import compat
from slic_mmaction.compat import checkpoints
from slic_mmaction.compat.checkpoints import load_from_local

compat.apply()
pytestmark = pytest.mark.skipif(
    not {"checkpoints", "checkpoint_content"} <= set(compat.apply()),
    reason="this torch and mmengine read their checkpoints, and run no config in them",
)


class Linear(BaseModel):
    def __init__(self) -> None:
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, x: torch.Tensor, mode: str) -> dict[str, torch.Tensor]:
        return dict(loss=((self.layer(x) - 2 * x) ** 2).mean())


class NumPyScore(Hook):
    """Puts into the hub what mmaction's metrics put there: NumPy scalars and arrays."""

    def before_save_checkpoint(self, runner: Runner, checkpoint: dict[str, Any]) -> None:
        runner.message_hub.update_info("best_score", np.float32(0.5))
        checkpoint["message_hub"]["runtime_info"]["best_score"] = np.float32(0.5)
        checkpoint["message_hub"]["resumed_keys"]["best_score"] = True


def make_runner(work_dir: Path, epochs: int = 4, **options: Any) -> Runner:
    return Runner(
        Linear(),
        str(work_dir),
        train_dataloader=dict(
            dataset=TensorDataset(torch.arange(8)[:, None] / 8),
            batch_size=4,
            sampler=dict(type="DefaultSampler", shuffle=False),
            collate_fn=dict(type="default_collate"),
        ),
        train_cfg=dict(by_epoch=True, max_epochs=epochs),
        optim_wrapper=dict(optimizer=dict(type="SGD", lr=0.1, momentum=0.9)),
        param_scheduler=dict(type="StepLR", step_size=1, gamma=0.5, by_epoch=True),
        default_hooks=dict(logger=dict(type="LoggerHook", interval=1)),
        custom_hooks=[NumPyScore()],
        randomness=dict(seed=3),
        experiment_name=f"{work_dir.parent.name}-{work_dir.name}",
        log_level="ERROR",
        **options,
    )


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> tuple[Runner, Path]:
    """A Runner after four epochs, and the checkpoint it wrote after two."""
    work_dir = tmp_path_factory.mktemp("trained")
    runner = make_runner(work_dir)
    runner.train()
    return runner, work_dir / "epoch_2.pth"


def assert_equal_states(left: Any, right: Any) -> None:
    torch.testing.assert_close(left, right, rtol=0, atol=0)


def test_resumed_run_is_the_uninterrupted_run(trained: tuple[Runner, Path], tmp_path: Path) -> None:
    whole, path = trained
    resumed = make_runner(tmp_path / "resumed", resume=True, load_from=str(path))
    resumed.train()
    assert resumed.epoch == whole.epoch == 4
    assert_equal_states(resumed.model.state_dict(), whole.model.state_dict())
    assert_equal_states(resumed.optim_wrapper.state_dict(), whole.optim_wrapper.state_dict())
    for mine, theirs in zip(resumed.param_schedulers, whole.param_schedulers):
        assert mine.state_dict() == theirs.state_dict()
    for name in ("train/loss", "train/lr"):
        mine, theirs = (r.message_hub.get_scalar(name) for r in (resumed, whole))
        np.testing.assert_array_equal(mine.data, theirs.data)
        assert mine.data[0].size == 8  # 4 epochs of 2 iterations: the first two from the file
    assert resumed.message_hub.get_info("best_score") == np.float32(0.5)


def test_what_is_loaded_is_mmengines_own_and_can_be_saved_again(
    trained: tuple[Runner, Path], tmp_path: Path
) -> None:
    fresh = make_runner(tmp_path / "load_from", load_from=str(trained[1]))
    fresh.load_or_resume()
    assert fresh.epoch == 0  # only the weights are taken
    loaded = CheckpointLoader.load_checkpoint(str(trained[1]), "cpu")
    assert_equal_states(fresh.model.state_dict(), loaded["state_dict"])
    history = loaded["message_hub"]["log_scalars"]["train/loss"]
    assert type(history) is HistoryBuffer
    assert type(history.data[0]) is np.ndarray
    assert history.statistics("mean", 2) == history.data[0][-2:].mean()
    torch.save(loaded, tmp_path / "again.pth")
    again = load_from_local(str(tmp_path / "again.pth"), "cpu")["message_hub"]
    np.testing.assert_array_equal(again["log_scalars"]["train/loss"].data, history.data)


@pytest.mark.parametrize(
    "value",
    [np.arange(6).reshape(2, 3).T, np.array([True]), np.array([1.5], ">f4"), np.zeros((0, 2))],
    ids=["fortran", "bool", "big_endian", "empty"],
)
def test_numeric_arrays_survive(value: np.ndarray, tmp_path: Path) -> None:
    path = tmp_path / "array.pth"
    torch.save(dict(value=value, scalar=value.dtype.type(1)), path)
    loaded = load_from_local(str(path), "cpu")
    expected = pickle.loads(pickle.dumps(value, protocol=2))
    np.testing.assert_array_equal(loaded["value"], expected, strict=True)
    assert loaded["scalar"] == value.dtype.type(1)
    # Written again it is a plain array: no checkpoint comes to depend on this package.
    assert pickle.dumps(loaded["value"]) == pickle.dumps(expected)


def test_plain_state_dicts_of_both_formats(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    model = Linear()
    for zipped in (True, False):
        path = tmp_path / f"weights_{zipped}.pth"
        torch.save(OrderedDict(model.state_dict()), path, _use_new_zipfile_serialization=zipped)
        target = Linear()
        load_checkpoint(target, f"~/{path.name}", map_location="cpu", strict=True)
        assert_equal_states(target.state_dict(), model.state_dict())
        assert load_from_local(str(path), "meta")["layer.weight"].is_meta


def test_addresses_are_read_as_safely(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "cache"))
    source = tmp_path / "remote.pth"
    torch.save(dict(history=HistoryBuffer([1.0], [1]), weight=torch.ones(1)), source)
    assert load_from_http(source.as_uri(), "cpu")["history"].current() == 1.0

    torch.save(dict(state_dict=os.system), tmp_path / "bad.pth")
    with pytest.raises(ValueError, match=r"bad\.pth was not loaded: it asks for posix\.system"):
        load_from_http((tmp_path / "bad.pth").as_uri(), "cpu")


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
@pytest.mark.parametrize("zipped", [True, False])
def test_a_truncated_file_is_one_sentence(keep: float, zipped: bool, tmp_path: Path) -> None:
    path = tmp_path / "cut.pth"
    torch.save(dict(state_dict=Linear().state_dict()), path, _use_new_zipfile_serialization=zipped)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole)) if keep < 1 else int(keep)])
    with pytest.raises(ValueError, match=r"cut\.pth") as error:
        load_from_local(str(path), "cpu")
    assert "\n" not in str(error.value)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("saved") / "c.pth"
    torch.save(dict(epoch=3, state_dict=torch.nn.Linear(30, 30).state_dict()), path)
    return path


@given(place=st.floats(0, 1), bit=st.integers(0, 7))
@settings(deadline=None, max_examples=100)
def test_a_flipped_bit_is_noticed(saved: Path, place: float, bit: int) -> None:
    """torch alone reads a flipped bit as another weight."""
    damaged = bytearray(saved.read_bytes())
    damaged[int(place * (len(damaged) - 1))] ^= 1 << bit
    path = saved.with_name("flipped.pth")
    path.write_bytes(damaged)
    try:
        loaded = load_from_local(str(path), "cpu")
    except ValueError as error:
        assert "flipped.pth is damaged and was not loaded" in str(error)
        assert "\n" not in str(error)
    else:  # between the records
        assert_equal_states(loaded, load_from_local(str(saved), "cpu"))


def test_a_record_marked_as_a_folder_is_noticed(saved: Path, tmp_path: Path) -> None:
    """By one flipped bit of the directory, after which torch returns memory that is not its own."""
    path = tmp_path / "c.pth"
    path.write_bytes(saved.read_bytes())
    with zipfile.ZipFile(path, "a") as archive:
        archive.infolist()[0].external_attr = 0x10
        archive.comment = b"written again"
    with pytest.raises(ValueError, match=r"c\.pth is damaged .* is marked as a folder"):
        load_from_local(str(path), "cpu")


def test_a_file_without_check_sums_is_read_and_a_missing_one_named(tmp_path: Path) -> None:
    torch.serialization.set_crc32_options(False)
    try:
        torch.save(dict(weight=torch.ones(2)), tmp_path / "c.pth")
    finally:
        torch.serialization.set_crc32_options(True)
    assert load_from_local(str(tmp_path / "c.pth"), "cpu")["weight"].sum() == 2
    with pytest.raises(FileNotFoundError, match=r"none\.pth does not exist"):
        load_from_local(str(tmp_path / "none.pth"), "cpu")


def test_a_config_in_a_checkpoint_is_not_run(trained, tmp_path: Path, monkeypatch) -> None:
    path, trace = tmp_path / "c.pth", tmp_path / "trace"
    checkpoint = load_from_local(str(trained[1]), "cpu")
    checkpoint["meta"]["config"] = f"open({str(trace)!r}, 'w').close()\n"
    torch.save(checkpoint, path)

    resumed = make_runner(tmp_path / "ours", epochs=3, resume=True, load_from=str(path))
    resumed.train()
    assert resumed.epoch == 3 and resumed.iter == 6  # it was resumed
    assert not trace.exists()

    # The program is live: mmengine's own loader leaves it in, and resuming runs it.
    theirs = checkpoints._mmengine_load_checkpoint
    monkeypatch.setattr(CheckpointLoader, "load_checkpoint", theirs)
    make_runner(tmp_path / "theirs", epochs=2, resume=True, load_from=str(path)).train()
    assert trace.exists()


@pytest.mark.parametrize("content", [[1], torch.ones(2), "text", None])
def test_what_is_no_dict_is_named(content: Any, tmp_path: Path) -> None:
    torch.save(content, tmp_path / "c.pth")
    with pytest.raises(ValueError, match=rf"c\.pth is a {type(content).__name__}, but a dict"):
        CheckpointLoader.load_checkpoint(str(tmp_path / "c.pth"), "cpu")


def repaired_loader(filename: str, map_location: Any) -> Any:
    """An mmengine loader that has been repaired upstream."""
    return torch.load(filename, map_location=map_location, weights_only=True)


def running_loader(filename: str, map_location: Any) -> Any:
    """An mmengine loader that has taken the way around."""
    return torch.load(filename, map_location=map_location, weights_only=False)


@pytest.mark.parametrize(
    ("upstream", "registered", "repaired"),
    [
        (repaired_loader, repaired_loader, False),
        (running_loader, len, False),  # somebody's own
        (running_loader, running_loader, True),
        (checkpoints._mmengine_load_from_local, checkpoints._mmengine_load_from_local, True),
    ],
)
def test_only_a_broken_install_is_repaired(upstream, registered, repaired, monkeypatch) -> None:
    monkeypatch.setattr(checkpoints, "_mmengine_load_from_local", upstream)
    monkeypatch.setattr(CheckpointLoader, "_schemes", {"": registered})
    assert checkpoints.repair_checkpoint_loading() == repaired
    assert CheckpointLoader._schemes[""] is (load_from_local if repaired else registered)


def test_the_fork_does_not_run_what_was_refused(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(CheckpointLoader, "_schemes", dict(CheckpointLoader._schemes))
    CheckpointLoader._schemes[""] = checkpoints._mmengine_load_from_local
    monkeypatch.setattr(checkpoints.upstream, "_safe_torch_load", running_loader, raising=False)
    assert checkpoints.repair_checkpoint_loading()
    torch.save(dict(history=HistoryBuffer([1.0], [1])), tmp_path / "good.pth")
    torch.save(dict(state_dict=os.system), tmp_path / "bad.pth")
    load = checkpoints.upstream._safe_torch_load
    assert load(tmp_path / "good.pth", map_location="cpu")["history"].current() == 1.0
    with pytest.raises(ValueError, match=r"it asks for posix\.system"):
        load(tmp_path / "bad.pth", weights_only=False)


def test_an_mmengine_that_runs_no_config_is_left_alone(monkeypatch) -> None:
    def resume(self: Any) -> None:
        """Runs nothing."""

    monkeypatch.setattr(Runner, "resume", resume)
    monkeypatch.setattr(CheckpointLoader, "load_checkpoint", len)
    assert not checkpoints.repair_checkpoint_content()
    assert CheckpointLoader.load_checkpoint is len
