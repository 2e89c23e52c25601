from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from slic_mmaction.decoding import FrameFolder, UnreadableVideoError, open_reader

TEMPLATE = "img_{:05}.jpg"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for number in range(1, 13):
        rgb = np.full((20, 24, 3), (10 * number, 100, 255 - 10 * number), np.uint8)
        cv2.imwrite(str(tmp_path / f"img_{number:05}.jpg"), rgb[..., ::-1])
    (tmp_path / "img_extra.jpg").write_bytes(b"")
    (tmp_path / "flow_x_00001.jpg").write_bytes(b"")
    return tmp_path


def reds(frames) -> list[int]:
    return [round(float(frame[..., 0].mean()) / 10) for frame in frames]


def test_frame_0_is_the_first_image(folder: Path) -> None:
    reader = FrameFolder(str(folder))
    assert reader.num_frames == 12
    frames = reader.frames([0, 11, 3, 0])
    assert reds(frames) == [1, 12, 4, 1] and frames[0].shape == (20, 24, 3)
    assert frames[0][..., 2].mean() > 230  # red and blue are not exchanged
    assert reds(FrameFolder(str(folder), TEMPLATE, 5, num_frames=4).frames([0, 3])) == [5, 8]
    # As a folder, and as a video whose frames were extracted.
    assert reds(open_reader(str(folder))) == list(range(1, 13))
    assert reds(open_reader(f"{folder}.avi", "rawframes")) == list(range(1, 13))


def test_images_of_other_names_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    for number in (0, 2, 10):
        cv2.imwrite(str(tmp_path / f"f{number}.png"), np.full((8, 8, 3), 10 * number, np.uint8))
    (tmp_path / "notes.txt").touch()
    assert reds(open_reader(str(tmp_path))) == [0, 2, 10]


def test_what_is_missing_is_named(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(UnreadableVideoError, match=r"img_00013\.jpg does not exist"):
        FrameFolder(str(folder), TEMPLATE, num_frames=13).frames([12])
    (folder / "img_00002.jpg").write_bytes(b"")
    (folder / "img_00003.jpg").write_bytes(b"no image at all")
    for index in (1, 2):
        with pytest.raises(
            UnreadableVideoError, match=rf"img_0000{index + 1}\.jpg cannot be decoded"
        ):
            FrameFolder(str(folder)).frames([index])
    with pytest.raises(UnreadableVideoError, match=r"nowhere does not exist"):
        FrameFolder(str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UnreadableVideoError, match=r"empty has no frame named like img_00001\.jpg"):
        FrameFolder(str(tmp_path / "empty"))
