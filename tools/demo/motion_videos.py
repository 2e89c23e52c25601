"""Made-up videos whose class is their motion and whose looks give nothing away.

Each scene is a pair of colours and each class a motion. Every scene shows every motion, in
several clips, so the colours tell scenes apart and not classes. Bars of one shape, size
and number do the moving everywhere: what a network can use, once colour jitter has taken
the colours from it, is motion.
"""

from __future__ import annotations

import colorsys
from pathlib import Path

import cv2
import numpy as np

from slic_mmaction.durable_file import write_text

SIDE = 64
NUM_FRAMES = 20
MOTIONS = ("sway", "bounce", "spin", "pulse", "blink", "still")
# Scenes and clips of each motion in a scene. Test scenes are never trained on.
SPLITS = {"train": (10, 4), "test": (7, 4)}
_BAR = np.array([(-1.0, -0.45), (1.0, -0.45), (1.0, 0.45), (-1.0, 0.45)])
_SUBPIXEL_BITS = 4


def render_clip(scene: int, motion: str, clip: int) -> np.ndarray:
    """Render one clip: four bars on a plain background, all moving alike.

    Args:
        scene: Seed of the colours: a dark background and light bars.
        motion: One of :data:`MOTIONS`.
        clip: With scene and motion the seed of places, size, phase and tempo.

    Returns:
        (NUM_FRAMES, SIDE, SIDE, 3) uint8, RGB.
    """
    look = np.random.default_rng([0, scene])
    hue = look.uniform()
    background = _colour(hue, look.uniform(0.4, 1.0), look.uniform(0.2, 0.55))
    bars = _colour(hue + look.uniform(0.25, 0.75), look.uniform(0.1, 0.7), look.uniform(0.8, 1.0))

    draw = np.random.default_rng([1, scene, MOTIONS.index(motion), clip])
    places = np.array([(x, y) for x in (0.28, 0.72) for y in (0.28, 0.72)])
    places = (places + draw.uniform(-0.04, 0.04, places.shape)) * SIDE
    angles = np.pi / 4 * np.array([0, 1, 2, 3]) + draw.uniform(-0.4, 0.4, len(places))
    size = draw.uniform(0.15, 0.17) * SIDE
    phases = draw.uniform(0, 2 * np.pi) + 2 * np.pi * np.arange(NUM_FRAMES) / draw.uniform(4.5, 6)

    frames = []
    for phase in phases:
        wave = np.sin(phase)
        shift = 0.15 * SIDE * wave * np.array([motion == "sway", motion == "bounce"])
        turn = phase if motion == "spin" else 0.0
        scale = size * (1 + 0.45 * wave if motion == "pulse" else 1)
        opacity = (1 + wave) / 2 if motion == "blink" else 1.0
        mask = np.zeros((SIDE, SIDE), np.uint8)
        for place, angle in zip(places, angles + turn):
            rotation = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
            corners = (_BAR * scale) @ rotation + place + shift
            corners = np.rint(corners * 2**_SUBPIXEL_BITS).astype(np.int32)
            cv2.fillConvexPoly(mask, corners, 255, cv2.LINE_AA, _SUBPIXEL_BITS)
        cover = opacity * mask[..., None] / 255
        frames.append(background * (1 - cover) + bars * cover)
    return np.rint(frames).astype(np.uint8)


def write_video_set(root: Path) -> None:
    """Write the videos of both splits and MMAction2's annotation files.

    ``root/{train,test}.txt`` hold lines ``path label``. They are written last, so where
    they are, the set is complete, and nothing is done.

    Args:
        root: Folder of the set.
    """
    for split, (scenes, clips) in SPLITS.items():
        annotation = root / f"{split}.txt"
        if annotation.is_file():
            continue
        lines = []
        # Scene seeds of the splits do not meet.
        first = 1000 * list(SPLITS).index(split)
        for scene in range(first, first + scenes):
            for label, motion in enumerate(MOTIONS):
                for clip in range(clips):
                    name = f"{split}/{motion}_s{scene:04}_c{clip}.mp4"
                    _write_video(root / name, render_clip(scene, motion, clip))
                    lines.append(f"{name} {label}")
        write_text(annotation, "\n".join(lines) + "\n")


def _colour(hue: float, saturation: float, value: float) -> np.ndarray:
    return 255 * np.array(colorsys.hsv_to_rgb(hue % 1.0, saturation, value))


def _write_video(path: Path, clip: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (SIDE, SIDE))
    if not writer.isOpened():
        raise OSError(f"OpenCV cannot write {path}: this build of it has no mp4v encoder.")
    for frame in clip:
        writer.write(np.ascontiguousarray(frame[..., ::-1]))
    writer.release()
