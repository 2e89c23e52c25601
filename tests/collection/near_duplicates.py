"""Generated videos, copies of them and other takes of the same scene."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np

from tests.videos import encode

WIDTH, HEIGHT = 96, 64


def scene(
    background_seed: int, take: int, length: int = 90, repeated: float = 0
) -> list[np.ndarray]:
    """A background before which a ball and a square move by the take, or to and fro so far."""
    rng = np.random.default_rng(background_seed)
    background = cv2.resize(rng.integers(40, 216, (6, 8, 3), dtype=np.uint8), (WIDTH, HEIGHT))
    rng = np.random.default_rng([background_seed, take])
    speed, phase = rng.uniform(0.04, 0.2, (2, 2)), rng.uniform(0, 6, (2, 2))
    frames = []
    for t in range(length):
        if repeated:
            places = 0.5 + repeated * np.sin(2 * np.pi * t / 20 + phase)
        else:
            places = 0.5 + 0.4 * np.sin(speed * t + phase)
        (x, y), (u, v) = (places * [WIDTH, HEIGHT]).astype(int).tolist()
        frame = cv2.circle(background.copy(), (x, y), 9, (250, 250, 240), -1)
        frames.append(cv2.rectangle(frame, (u - 7, v - 7), (u + 7, v + 7), (5, 10, 20), -1))
    return frames


def half(frame: np.ndarray) -> np.ndarray:
    return cv2.resize(frame, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)


def bordered(frame: np.ndarray) -> np.ndarray:
    return cv2.copyMakeBorder(frame, 10, 10, 0, 24, cv2.BORDER_CONSTANT, value=(0, 0, 0))


def faded(frame: np.ndarray) -> np.ndarray:
    return (frame * [0.7, 0.5, 0.6] + [20, 60, 50]).astype(np.uint8)


def write_near_duplicates(folder: Path) -> Path:
    """A scene, its copies, other takes of it, and another scene with a copy of its own."""
    frames = scene(0, 0)
    encode(folder / "original.mp4", frames)
    encode(folder / "low quality.mp4", frames, options={"crf": "40"})
    encode(folder / "half's.mp4", map(half, frames))
    encode(folder / "mirrored.mp4", [np.ascontiguousarray(f[:, ::-1]) for f in frames])
    encode(folder / "trimmed\n.mp4", frames[25:])
    encode(folder / "bars.mp4", map(bordered, frames))
    encode(folder / "slow.mp4", frames[::2], stamps=range(0, len(frames), 2))
    encode(folder / "faded.mp4", map(faded, frames))
    encode(folder / "other take.mp4", scene(0, 1))
    encode(folder / "again.mp4", scene(0, 2, repeated=0.4))
    encode(folder / "again, less.mp4", scene(0, 2, repeated=0.38))
    encode(folder / "other.mp4", scene(1, 0))
    encode(folder / "other, too.mp4", scene(1, 0), options={"crf": "35"})
    return folder


COPIES = {
    "low quality.mp4": (0, False),
    "half's.mp4": (0, False),
    "mirrored.mp4": (0, True),
    "trimmed\n.mp4": (1.0, False),
    "bars.mp4": (0, False),
    "slow.mp4": (0, False),
    "faded.mp4": (0, False),
}
