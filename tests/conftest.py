"""Generated videos and a tiny SLIC config that a real Runner trains in a second."""

from __future__ import annotations

import contextlib
import gc
import itertools
import multiprocessing
import multiprocessing.forkserver
import os
import runpy
import signal
import socket
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

import slic_mmaction  # noqa: F401  # before other modules import mmaction, which may need repairs

HERE = Path(__file__).parent
TINY = HERE / "data" / "tiny_slic.py"
PATIENCE = 600  # seconds that a program may take: a last resort only

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


# Programs that tests start fork from one that has imported all this: 4 s of processor time each.
_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(
    ["slic_mmaction", "matplotlib.pyplot", "torch._dynamo", "torch.utils.tensorboard"]
)


class Program:
    """A Python program in a process of its own, started as by a shell."""

    def __init__(self, output: Path, argv: list[str], environment: dict[str, str]) -> None:
        self._output = output
        names = dict(OUTPUT=str(output), ARGV=argv, ENVIRONMENT=environment)
        arguments = (str(HERE / "run_program.py"), names, "__main__")
        self._process = _SERVER.Process(target=runpy.run_path, args=arguments)
        self._process.start()
        self.pid = self._process.pid

    def kill(self) -> None:
        """``kill -9``."""
        self._process.kill()

    def end(self) -> tuple[int, str]:
        """Wait for it.

        Returns:
            Exit code, or the signal's negative number; what it has printed.
        """
        self._process.join(PATIENCE)
        assert self._process.exitcode is not None, self._output.read_text()[-3000:]
        return self._process.exitcode, self._output.read_text()

    def clear(self) -> None:
        """End it, or what it has left behind: a loader worker that had only just been started when
        its run was killed takes another process for its parent, and waits for ever."""
        # A number with neither process nor group may belong to somebody else by now.
        if self._process.is_alive() or not Path(f"/proc/{self.pid}").exists():
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.pid, signal.SIGKILL)


@pytest.fixture(scope="session")
def start_program(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Program]]:
    """``start_program(script, *arguments, **environment)``."""
    started = []

    def start(script: Path, *arguments: object, **environment: object) -> Program:
        output = tmp_path_factory.mktemp("program") / "output.txt"
        argv = list(map(str, (script, *arguments)))
        environment = {name: str(value) for name, value in environment.items()}
        started.append(Program(output, argv, environment))
        return started[-1]

    yield start
    for program in started:
        program.clear()
    multiprocessing.forkserver._forkserver._stop()  # waited for, so its processor time is counted


@pytest.fixture(scope="session")
def start_on_ranks(start_program: Callable[..., Program]) -> Callable[..., list[Program]]:
    """``start_on_ranks(count, script, *arguments, **environment)``: a program for each rank."""

    def start(count: int, script: Path, *arguments: object, **environment: object) -> list[Program]:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        environment.update(WORLD_SIZE=count, MASTER_ADDR="127.0.0.1", MASTER_PORT=port)
        return [
            start_program(script, *arguments, **environment, RANK=rank, LOCAL_RANK=rank)
            for rank in range(count)
        ]

    return start


@pytest.fixture(scope="session")
def run_on_ranks(start_on_ranks: Callable[..., list[Program]]) -> Callable[..., list[str]]:
    """``start_on_ranks`` to the end: what each rank has printed; all must end well."""

    def run(*arguments: object, **environment: object) -> list[str]:
        ends = [rank.end() for rank in start_on_ranks(*arguments, **environment)]
        assert not any(code for code, _ in ends), "\n".join(said[-3000:] for _, said in ends)
        return [said for _, said in ends]

    return run
