"""A video as a few small frames side by side."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np

_IMAGES = (".jpg", ".jpeg", ".png")


def video_strip(
    path: str | Path, num_frames: int = 3, tile: tuple[int, int] = (112, 84)
) -> np.ndarray:
    """Frames from the beginning, middle and end of a video, for a glimpse of its motion.

    Args:
        path (str | Path): A video file, or a folder of its frames as images.
        num_frames (int): Number of frames, evenly spaced. Defaults to 3.
        tile (tuple[int, int]): Width and height in pixels into which each frame is fitted,
            with its aspect ratio. Defaults to (112, 84).

    Returns:
        np.ndarray: (height, num_frames * width, 3) uint8, RGB.

    Raises:
        ValueError: If no frame can be read.
    """
    frames = list(_frames(Path(path), tile))
    if not frames:
        raise ValueError(f"No frame of {path} can be read: is it a video or a folder of images?")
    # Middles of equal parts: first and last frames are often black.
    chosen = (np.arange(num_frames) + 0.5) * len(frames) / num_frames
    return np.hstack([frames[int(i)] for i in chosen])


def _frames(path: Path, tile: tuple[int, int]) -> Iterator[np.ndarray]:
    if path.is_dir():
        for name in sorted(p for p in path.iterdir() if p.suffix.lower() in _IMAGES):
            image = cv2.imread(str(name), cv2.IMREAD_COLOR)
            if image is not None:
                yield _fit(image, tile)
        return
    # Read from the beginning: frame counts in headers and seeking cannot be relied upon.
    video = cv2.VideoCapture(str(path))
    while True:
        found, frame = video.read()
        if not found:
            break
        yield _fit(frame, tile)
    video.release()


def _fit(frame: np.ndarray, tile: tuple[int, int]) -> np.ndarray:
    height, width = frame.shape[:2]
    scale = min(tile[0] / width, tile[1] / height)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = cv2.resize(frame, size, interpolation=cv2.INTER_AREA)
    left, top = (tile[0] - size[0]) // 2, (tile[1] - size[1]) // 2
    fitted = np.full((tile[1], tile[0], 3), 255, dtype=np.uint8)
    fitted[top : top + size[1], left : left + size[0]] = small[..., ::-1]
    return fitted
