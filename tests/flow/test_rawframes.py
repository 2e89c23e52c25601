from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from slic_mmaction.flow import read_rawframes
from slic_mmaction.flow.rawframes import check_template

NUM_FRAMES = 12


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Flow images of a video of 12 frames as denseflow leaves them: 11, grey says which."""
    for number in range(1, NUM_FRAMES):
        for axis, shift in (("x", 0), ("y", 100)):
            image = np.full((24, 32), 10 * number + shift, np.uint8)
            cv2.imwrite(str(tmp_path / f"flow_{axis}_{number:05}.jpg"), image)
    return tmp_path


def test_first_frame_has_number_one(folder: Path) -> None:
    images = read_rawframes(folder, [0, 3, 4, 0], NUM_FRAMES)
    assert [int(image[0, 0]) for image in images] == [10, 40, 50, 10]
    assert images[0].shape == (24, 32)


def test_frames_after_the_last_image_repeat_it(folder: Path) -> None:
    images = read_rawframes(folder, [10, 11, 13], NUM_FRAMES)
    assert [int(image[0, 0]) for image in images] == [110, 110, 110]


def test_a_hole_and_an_empty_folder_are_named(folder: Path, tmp_path: Path) -> None:
    (folder / "flow_x_00003.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"no flow image .*flow_x_00003\.jpg"):
        read_rawframes(folder, [2], NUM_FRAMES)
    with pytest.raises(FileNotFoundError, match=r"flow_x_00012\.jpg"):
        read_rawframes(tmp_path / "none", [11], NUM_FRAMES)


def test_unreadable_image_is_named(folder: Path) -> None:
    (folder / "flow_x_00001.jpg").write_bytes(b"no picture")
    with pytest.raises(OSError, match=r"flow_x_00001\.jpg cannot be decoded"):
        read_rawframes(folder, [0], NUM_FRAMES)


def test_a_folder_of_one_component(folder: Path) -> None:
    (folder / "flow_x_00002.jpg").rename(folder / "frame000002.jpg")
    (image,) = read_rawframes(folder, [1], NUM_FRAMES, "frame{:06}.jpg")
    assert image[0, 0] == 20


@pytest.mark.parametrize("template", ["flow.jpg", "{}_{}_{:05}.jpg"])
def test_bad_template_is_named(template: str) -> None:
    with pytest.raises(ValueError, match="filename_tmpl"):
        check_template(template)
