from __future__ import annotations

import json
import zipfile
from pathlib import Path

import cv2
import numpy as np
import pytest

from slic_mmaction.flow.images import flow_levels
from slic_mmaction.flow.store import (
    FlowSettings,
    check_template,
    read_flow,
    read_rawframes,
    read_settings,
    relative_name,
    stored_path,
    write_flow,
)

SETTINGS = FlowSettings(method="dis", component="xy", bound=10, short_side=32)
NUM_FRAMES = 12


def smooth_flow(num_frames: int) -> np.ndarray:
    """(T, 32, 44, 2) float32 within a few pixels."""
    rng = np.random.default_rng(0)
    fields = rng.uniform(-1.3, 1.3, (num_frames, 5, 6, 2)).astype(np.float32)
    return np.stack([cv2.resize(f, (44, 32), interpolation=cv2.INTER_CUBIC) for f in fields])


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    path = tmp_path / "Class" / "video.flow.zip"
    write_flow(path, iter(smooth_flow(20)), SETTINGS)
    return path


def test_what_was_written_is_read(stored: Path, tmp_path: Path) -> None:
    assert read_settings(stored) == SETTINGS
    wanted = [3, 4, 5, 19, 3]
    images = read_flow(stored, wanted)
    assert len(images) == 5 and images[0].dtype == np.uint8
    for frame, image in zip(wanted, images):
        true = flow_levels(smooth_flow(20)[frame][..., 0], bound=10).astype(int)
        assert np.abs(true - image).mean() < 1 and np.abs(true - image).max() <= 8
    # Unzipped it is MMAction2's folder.
    with zipfile.ZipFile(stored) as file:
        names = file.namelist()
        assert json.loads(file.read("flow.json"))["frames"] == 20
        file.extractall(tmp_path / "raw")
    assert len(names) == 41 and {"flow_x_00001.jpg", "flow_y_00020.jpg"} <= set(names)
    assert np.array_equal(read_rawframes(tmp_path / "raw", [4], 20)[0], images[1])
    # Vertical flow is stored only if asked for.
    write_flow(stored, smooth_flow(3), FlowSettings())
    with zipfile.ZipFile(stored) as file:
        assert not any("flow_y" in name for name in file.namelist())


def test_frames_a_little_beyond_the_end_repeat_the_last(stored: Path) -> None:
    last, beyond = read_flow(stored, [19, 27])
    np.testing.assert_array_equal(last, beyond)
    with pytest.raises(ValueError, match="has the flow of 20 frames, but frame 29 was requested"):
        read_flow(stored, [28])


def test_damaged_and_missing_files(stored: Path, tmp_path: Path) -> None:
    whole = stored.read_bytes()
    for keep in (0, 100, -30):
        stored.write_bytes(whole[:keep])
        assert read_settings(stored) is None
        with pytest.raises(OSError, match=r"video\.flow\.zip is damaged .* extract it again"):
            read_flow(stored, [0])
    flipped = bytearray(whole)
    flipped[200] ^= 1  # within the first image
    stored.write_bytes(flipped)
    with pytest.raises(OSError, match="is damaged"):
        read_flow(stored, [0])
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


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    """Flow images of a video of 12 frames as denseflow leaves them: 11, grey says which."""
    for number in range(1, NUM_FRAMES):
        for axis, shift in (("x", 0), ("y", 100)):
            image = np.full((24, 32), 10 * number + shift, np.uint8)
            cv2.imwrite(str(tmp_path / f"flow_{axis}_{number:05}.jpg"), image)
    return tmp_path


def test_raw_frames_begin_with_one_and_the_last_is_repeated(raw: Path) -> None:
    images = read_rawframes(raw, [0, 3, 4, 0, 10, 11, 13], NUM_FRAMES)
    assert [int(image[0, 0]) for image in images] == [10, 40, 50, 10, 110, 110, 110]
    assert images[0].shape == (24, 32)
    # A folder of one component.
    (raw / "flow_x_00002.jpg").rename(raw / "frame000002.jpg")
    assert read_rawframes(raw, [1], NUM_FRAMES, "frame{:06}.jpg")[0][0, 0] == 20


def test_bad_raw_frames_are_named(raw: Path) -> None:
    (raw / "flow_x_00003.jpg").unlink()
    (raw / "flow_x_00001.jpg").write_bytes(b"no picture")
    with pytest.raises(FileNotFoundError, match=r"no flow image .*flow_x_00003\.jpg"):
        read_rawframes(raw, [2], NUM_FRAMES)
    with pytest.raises(OSError, match=r"flow_x_00001\.jpg cannot be decoded"):
        read_rawframes(raw, [0], NUM_FRAMES)
    with pytest.raises(FileNotFoundError, match=r"flow_x_00012\.jpg"):
        read_rawframes(raw / "none", [11], NUM_FRAMES)
    for template in ("flow.jpg", "{}_{}_{:05}.jpg"):
        with pytest.raises(ValueError, match="filename_tmpl"):
            check_template(template)
