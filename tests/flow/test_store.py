from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from slic_mmaction.flow import (
    FlowSettings,
    flow_levels,
    read_flow,
    read_settings,
    relative_name,
    stored_path,
    write_flow,
)

SETTINGS = FlowSettings(method="dis", component="xy", bound=10, short_side=32)


def smooth_flow(num_frames: int, size: tuple[int, int] = (44, 32)) -> np.ndarray:
    """(T, H, W, 2) float32 within a few pixels."""
    rng = np.random.default_rng(0)
    fields = rng.uniform(-1.3, 1.3, (num_frames, 5, 6, 2)).astype(np.float32)
    return np.stack([cv2.resize(f, size, interpolation=cv2.INTER_CUBIC) for f in fields])


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "Class" / "video.flow.zip"
    assert write_flow(path, iter(smooth_flow(20)), SETTINGS) == 20
    return path


def test_what_was_written_is_read(stored: Path) -> None:
    assert read_settings(stored) == SETTINGS
    wanted = [3, 4, 5, 19, 3]
    images = read_flow(stored, wanted)
    assert len(images) == 5 and images[0].dtype == np.uint8
    for frame, image in zip(wanted, images):
        true = flow_levels(smooth_flow(20)[frame][..., 0], bound=10).astype(int)
        assert np.abs(true - image).mean() < 1 and np.abs(true - image).max() <= 8


def test_unzipped_it_is_mmaction2s_folder(stored: Path) -> None:
    with zipfile.ZipFile(stored) as file:
        names = file.namelist()
        assert json.loads(file.read("flow.json"))["frames"] == 20
    assert len(names) == 41 and {"flow_x_00001.jpg", "flow_y_00020.jpg"} <= set(names)


def test_vertical_flow_is_stored_only_if_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "v.flow.zip"
    write_flow(path, smooth_flow(3), FlowSettings())
    with zipfile.ZipFile(path) as file:
        assert not any("flow_y" in name for name in file.namelist())


def test_frames_a_little_beyond_the_end_repeat_the_last(stored: Path) -> None:
    last, beyond = read_flow(stored, [19, 27])
    np.testing.assert_array_equal(last, beyond)
    with pytest.raises(ValueError, match="has the flow of 20 frames, but frame 29 is wanted"):
        read_flow(stored, [28])


def test_interrupted_writing_leaves_nothing(tmp_path: Path) -> None:
    def breaks():
        yield smooth_flow(1)[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_flow(tmp_path / "v.flow.zip", breaks(), SETTINGS)
    assert os.listdir(tmp_path) == []


def test_what_a_killed_run_left_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / ".v.flow.zip.part").write_bytes(b"torn")
    write_flow(tmp_path / "v.flow.zip", smooth_flow(2), SETTINGS)
    assert os.listdir(tmp_path) == ["v.flow.zip"]
    assert len(read_flow(tmp_path / "v.flow.zip", [0, 1])) == 2


@pytest.mark.parametrize("keep", [0, 100, -30])
def test_damaged_file_is_named_and_counts_as_missing(stored: Path, keep: int) -> None:
    stored.write_bytes(stored.read_bytes()[:keep])
    assert read_settings(stored) is None
    with pytest.raises(OSError, match=r"video\.flow\.zip is damaged .* extract it again"):
        read_flow(stored, [0])


def test_flipped_bit_is_noticed(stored: Path) -> None:
    data = bytearray(stored.read_bytes())
    data[200] ^= 1  # within the first image
    stored.write_bytes(data)
    with pytest.raises(OSError, match="is damaged"):
        read_flow(stored, [0])


def test_missing_file(tmp_path: Path) -> None:
    assert read_settings(tmp_path / "none.flow.zip") is None
    with pytest.raises(FileNotFoundError):
        read_flow(tmp_path / "none.flow.zip", [0])


def test_names_below_the_video_root(tmp_path: Path, monkeypatch) -> None:
    assert relative_name("data/videos/A/b c.avi", "data/videos") == "A/b c.avi"
    assert relative_name(tmp_path / "A" / "b.avi", str(tmp_path) + "/") == "A/b.avi"
    monkeypatch.chdir(tmp_path)
    assert relative_name("A/b.avi", "") == "A/b.avi"
    assert relative_name("..b.avi", "") == "..b.avi"
    assert stored_path("out", "A/b.c") == Path("out/A/b.c.flow.zip")
    with pytest.raises(ValueError, match="not below the video root 'data/videos'"):
        relative_name("data/other/b.avi", "data/videos")
