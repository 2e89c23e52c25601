"""Videos for the input pipeline: given ones, or moving colours made up."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
from settings import Settings

WIDTH, HEIGHT = 170, 128  # of UCF101 with the short side at 128, as docs/data prepares it


class VideoSet(NamedTuple):
    """A folder of videos and its lists for training and testing (lines ``path label``)."""

    root: Path
    train: Path
    test: Path

    def paths(self) -> list[Path]:
        """Videos to train with."""
        lines = self.train.read_text(encoding="utf-8").splitlines()
        return [self.root / line.rsplit(maxsplit=1)[0] for line in lines]


def video_set(settings: Settings) -> VideoSet:
    """The videos given with ``--data``; without it some are made up, once per machine."""
    if settings.data is not None:
        names = ("videos", "train_split1.txt", "test_split1.txt")
        return VideoSet(*(settings.data / name for name in names))
    counts = (24, 4) if settings.small else (256, 64)
    root = settings.scratch / f"videos_{counts[0]}_{counts[1]}"
    lists = root / "train.txt", root / "test.txt"
    if not lists[1].exists():
        root.mkdir(parents=True, exist_ok=True)
        for split, count, file in zip(("train", "test"), counts, lists):
            lines = []
            for number in range(count):
                name = f"{split}_{number}.mp4"
                write_video(root / name, 20 if settings.small else 120, seed=hash_of(split, number))
                lines.append(f"{name} {number % 2}\n")
            file.write_text("".join(lines), encoding="utf-8")
    return VideoSet(root, *lists)


def hash_of(split: str, number: int) -> int:
    """A seed that no two videos share."""
    return number + (0 if split == "train" else 1_000_000)


def write_video(path: Path, num_frames: int, seed: int) -> None:
    """Write colours that move over noise, as an MPEG-4 file of 170x128.

    Raises:
        RuntimeError: If this OpenCV writes no video.
    """
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (8, 24, 3), dtype=np.uint8)
    scene = cv2.resize(coarse, (3 * WIDTH, HEIGHT), interpolation=cv2.INTER_CUBIC)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (WIDTH, HEIGHT))
    if not writer.isOpened():
        raise RuntimeError(f"OpenCV {cv2.__version__} writes no mp4 here: give videos with --data.")
    for t in range(num_frames):
        shift = 2 * t % (2 * WIDTH)
        noise = rng.integers(0, 12, (HEIGHT, WIDTH, 1), dtype=np.uint8)
        writer.write(cv2.add(scene[:, shift : shift + WIDTH], np.repeat(noise, 3, axis=2)))
    writer.release()
