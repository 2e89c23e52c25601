"""Generated videos whose class is their motion, and whose appearance is unique.

Each video has a background and a patch in the middle, both with a pattern that no other video has.
The class is the motion of the patch over the background. The pattern distinguishes a video from all
others most easily, but it says nothing about the class.
"""

from __future__ import annotations

import colorsys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np

from slic_mmaction.durable_file import write_text

SIDE = 64
NUM_FRAMES = 24
PATCH = 28
# Range of brightness of the spots.
BACKGROUND, FOREGROUND = (10, 130), (150, 255)
SHIFT = 8.0  # Largest displacement of the patch, in pixels.
DEFORMATION = 0.45  # Largest relative change of its sides.
# A point p of the patch, relative to its centre, moves to matrix @ p + offset at a phase. All
# motions go back and forth, so that neither the direction nor mirroring matters.
Motion = Callable[[float, float], tuple[list[list[float]], list[float]]]
_D, _S = DEFORMATION, SHIFT
_ONE = [[1.0, 0.0], [0.0, 1.0]]
MOTIONS: dict[str, Motion] = {
    "sway": lambda s, c: (_ONE, [_S * s, 0]),
    "bounce": lambda s, c: (_ONE, [0, _S * s]),
    "circle": lambda s, c: (_ONE, [_S * s, _S * c]),
    "rock": lambda s, c: ([[np.cos(s), -np.sin(s)], [np.sin(s), np.cos(s)]], [0, 0]),
    "pulse": lambda s, c: ([[1 + _D * s, 0], [0, 1 + _D * s]], [0, 0]),
    "widen": lambda s, c: ([[1 + _D * s, 0], [0, 1]], [0, 0]),
    "stretch": lambda s, c: ([[1, 0], [0, 1 + _D * s]], [0, 0]),
    "lean": lambda s, c: ([[1, _D * s], [0, 1]], [0, 0]),
    "slant": lambda s, c: ([[1, 0], [_D * s, 1]], [0, 0]),
}
# Number of videos of each motion.
SPLITS = {"train": 27, "test": 14}


def render_clip(motion: str, seed: list[int]) -> np.ndarray:
    """Render a video of a patch that moves over a background.

    Args:
        motion: One of :data:`MOTIONS`.
        seed: Random seed of patterns, position, phase and tempo.

    Returns:
        (NUM_FRAMES, SIDE, SIDE, 3) uint8, RGB.
    """
    draw = np.random.default_rng(seed)
    background = pattern(draw, SIDE, 4, *BACKGROUND)
    patch = np.zeros((SIDE, SIDE, 4), np.float32)
    begin = (SIDE - PATCH) // 2
    inside = slice(begin, begin + PATCH)
    patch[inside, inside, :3] = pattern(draw, PATCH, 3, *FOREGROUND)
    patch[inside, inside, 3] = 1
    middle = np.full(2, (SIDE - 1) / 2)
    place = middle + draw.uniform(-3, 3, 2)
    phases = draw.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(NUM_FRAMES) / draw.uniform(8, 11)
    frames = []
    for phase in phases:
        linear, offset = MOTIONS[motion](np.sin(phase), np.cos(phase))
        affine = np.column_stack([linear, place + offset - np.array(linear) @ middle])
        moved = cv2.warpAffine(patch, affine, (SIDE, SIDE))
        cover = moved[..., 3:]
        frames.append(background * (1 - cover) + moved[..., :3])
    return np.rint(np.clip(frames, 0, 255)).astype(np.uint8)


def pattern(
    draw: np.random.Generator, side: int, cells: int, low: float, high: float
) -> np.ndarray:
    """Return spots of one colour: ``cells`` x ``cells`` random brightnesses, smoothly enlarged."""
    grid = draw.uniform(low, high, (cells, cells)).astype(np.float32)
    spots = cv2.resize(grid, (side, side), interpolation=cv2.INTER_CUBIC)
    colour = colorsys.hsv_to_rgb(draw.uniform(), draw.uniform(0.2, 0.8), 1.0)
    return np.clip(spots, 0, 255)[..., None] * np.array(colour, np.float32)


def write_video_set(root: Path) -> None:
    """Write the videos of both splits and MMAction2's annotation files.

    ``root/{train,test}.txt`` hold lines ``path label``. They are written last. If they exist, the
    set is complete, and nothing is done.

    Args:
        root: Folder of the set.
    """
    for number, (split, videos) in enumerate(SPLITS.items()):
        annotation = root / f"{split}.txt"
        if annotation.is_file():
            continue
        lines = []
        for label, motion in enumerate(MOTIONS):
            for video in range(videos):
                name = f"{split}/{motion}_{video:03}.mp4"
                _write_video(root / name, render_clip(motion, [number, label, video]))
                lines.append(f"{name} {label}")
        write_text(annotation, "\n".join(lines) + "\n")


def _write_video(path: Path, clip: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (SIDE, SIDE))
    if not writer.isOpened():
        raise OSError(f"OpenCV cannot write {path}: this build of OpenCV has no mp4v encoder.")
    for frame in clip:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
