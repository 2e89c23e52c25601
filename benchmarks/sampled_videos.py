"""The videos of data_pipeline.py, the samples drawn from them, and their frames as JPEG files."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import torch
from clip_contestants import Frames, pillow_clip, read
from PIL import Image

from slic_mmaction.decoding import FrameFolder, open_reader
from slic_mmaction.transforms.view_frames import ANCHOR, POSITIVE, positive_start_range

SHARED = Path(__file__).parents[2] / "shared" / "data"
CLIP = 16
# Video of the anchor, video of the positive, and random seed.
Sample = tuple[Path, Path, int]


class Videos:
    """Set of videos, the samples drawn from them, and their frames as JPEG files."""

    def __init__(self, paths: list[Path], samples: int, jpeg_root: Path) -> None:
        self.lengths = {path: open_reader(str(path)).num_frames for path in paths}
        self.jpegs = {path: jpeg_root / str(number) for number, path in enumerate(paths)}
        draw = random.Random(0)
        self.samples: list[Sample] = []
        for i in range(samples):
            anchor = paths[i % len(paths)]
            positive = draw.choice([path for path in paths if path != anchor])
            self.samples.append((anchor, positive, i))
            self._extract(anchor, self.clip(anchor, ANCHOR, i))
            self._extract(positive, self.clip(positive, POSITIVE, i))

    def clip(self, path: Path, view: str, seed: int) -> range:
        """Frames of a view; SampleViewFrames draws the same with NumPy seeded like this."""
        if view == ANCHOR:
            return range(CLIP)
        low, high = positive_start_range(self.lengths[path], CLIP)
        np.random.seed(seed)
        start = int(np.random.randint(low, high + 1))
        return range(start, start + CLIP)

    def decode(self, by: Callable[[Path, range], Frames], sample: Sample) -> Frames:
        anchor, positive, seed = sample
        clips = ((anchor, ANCHOR), (positive, POSITIVE))
        return [frame for p, view in clips for frame in by(p, self.clip(p, view, seed))]

    def pillow(self, sample: Sample) -> torch.Tensor:
        anchor, positive, seed = sample
        views = ((anchor, ANCHOR), (positive, POSITIVE), (anchor, ANCHOR))
        clips = [[self._jpeg(p, i) for i in self.clip(p, view, seed)] for p, view in views]
        return torch.from_numpy(np.stack([pillow_clip(files) for files in clips]))

    def read_jpegs(self, path: Path, frames: range) -> Frames:
        folder, length = str(self.jpegs[path]), self.lengths[path]
        return FrameFolder(folder, "img_{:05}.jpg", num_frames=length).frames(frames)

    def _jpeg(self, path: Path, index: int) -> Path:
        return self.jpegs[path] / f"img_{index + 1:05}.jpg"

    def _extract(self, path: Path, frames: range) -> None:
        self.jpegs[path].mkdir(parents=True, exist_ok=True)
        for index, frame in zip(frames, read("auto", path, frames)):
            Image.fromarray(frame).save(self._jpeg(path, index), quality=95)


def made_up_videos(folder: Path, count: int) -> list[Path]:
    """Write Xvid .avi files of 320x240, as a substitute for real videos."""
    folder.mkdir()
    for number in range(count):
        rng = np.random.default_rng(number)
        path = str(folder / f"video_{number}.avi")
        writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"XVID"), 25, (320, 240))
        scene = cv2.resize(rng.integers(0, 256, (30, 60, 3), dtype=np.uint8), (640, 240))
        for t in range(int(rng.integers(60, 300))):
            shift = t % 320
            noise = rng.integers(0, 12, (240, 320, 1), dtype=np.uint8)
            writer.write(cv2.add(scene[:, shift : shift + 320], np.repeat(noise, 3, axis=2)))
        writer.release()
    return sorted(folder.iterdir())
