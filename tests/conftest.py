"""Generated videos and a tiny SLIC config that a real Runner trains in a second."""

from __future__ import annotations

import gc
import itertools
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import settings
from mmengine.config import Config
from mmengine.registry import DefaultScope

TINY = Path(__file__).parent / "data" / "tiny_slic.py"

# There is a test process on every core already, and threads that wait for each other spin: without
# this the suite takes twice the processor time. Programs that tests start see the variable.
os.environ.setdefault("OMP_NUM_THREADS", "1")
torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))

# Every run of `make test` tries the same examples, so that it cannot fail by luck on a commit that
# is innocent; `make test-faults` looks for new ones.
settings.register_profile("same", derandomize=True)
if os.environ.get("SLIC_FAULTS") != "full":
    settings.load_profile("same")


def pytest_collection_finish() -> None:
    """Spare the garbage collector what was imported.

    MMEngine's BaseDataset collects whenever it is built: half of the time of a tiny run.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _scope_of_mmaction() -> Iterator[None]:
    """Registries look in MMAction2's scope, whatever scope an earlier test's Runner has left."""
    with DefaultScope.overwrite_default_scope("mmaction"):
        yield


def write_video(path: Path, num_frames: int, seed: int, size: tuple[int, int] = (40, 32)) -> None:
    """Write a video of a moving, coloured blob on noise; every seed looks different."""
    rng = np.random.default_rng(seed)
    width, height = size
    background = rng.integers(0, 256, (4, 5, 3), dtype=np.uint8)
    background = cv2.resize(background, size, interpolation=cv2.INTER_CUBIC)
    colour = tuple(int(c) for c in rng.integers(0, 256, 3))
    step = rng.uniform(-2, 2, 2)
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, size)
    assert writer.isOpened()
    for t in range(num_frames):
        x, y = (np.array([width, height]) / 2 + step * t) % (width, height)
        writer.write(cv2.circle(background.copy(), (int(x), int(y)), 6, colour, -1))
    writer.release()


@pytest.fixture(scope="session")
def video_set(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with 8 training and 4 test videos of 2 classes and their annotation files.

    Lengths run from 5 frames (shorter than a clip) up.
    """
    root = tmp_path_factory.mktemp("videos")
    for split, count, first in (("train", 8, 0), ("test", 4, 100)):
        lines = []
        for i in range(count):
            name = f"{split}_{i}.mp4"
            write_video(root / name, num_frames=5 if i == 0 else 12 + 3 * i, seed=first + i)
            lines.append(f"{name} {i % 2}")
        (root / f"{split}.txt").write_text("\n".join(lines) + "\n")
    return root


@pytest.fixture
def tiny_config(video_set: Path, tmp_path: Path) -> Callable[..., Config]:
    """Make a config of a small network on ``video_set``; keyword arguments override it."""

    counter = itertools.count()

    def make(work_dir: Path | None = None, root: Path = video_set, **options: Any) -> Config:
        # yapf's layout of its text would take as long as the rest of a tiny run.
        whole = Config.fromfile(TINY).to_dict()
        cfg = Config(whole, filename=TINY, format_python_code=False)
        dataset = cfg.train_dataloader.dataset.dataset
        for part, split in (
            (dataset, "train"),
            (cfg.val_dataloader.dataset.gallery, "train"),
            (cfg.val_dataloader.dataset.query, "test"),
            (cfg.test_dataloader.dataset.gallery, "train"),
            (cfg.test_dataloader.dataset.query, "test"),
        ):
            part.ann_file = str(root / f"{split}.txt")
            part.data_prefix = dict(video=str(root))
        cfg.work_dir = str(work_dir or tmp_path / "work")
        # MMEngine keeps one message hub for each name, and its own names change each second only.
        cfg.experiment_name = f"{tmp_path.name}-{next(counter)}"
        cfg.merge_from_dict({key.replace("__", "."): value for key, value in options.items()})
        return cfg

    return make
