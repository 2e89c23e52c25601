"""Measure the time of indexing videos, of its decoding and forward passes alone, and of queries.

    OMP_NUM_THREADS=1 python benchmarks/collection.py VIDEOS RUN

VIDEOS is a folder, RUN an argument of `slic index --with`. Indexing and its parts run in turn, with
one process and thread, after a round for warm-up. The lowest CPU time of several rounds is
compared, because a busy machine disturbs wall time more. Queries use random vectors.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import torch

from slic_mmaction.collection import Collection
from slic_mmaction.collection.network import Network
from slic_mmaction.collection.search import Searcher
from slic_mmaction.collection.store import WindowTable
from slic_mmaction.collection.update import STRIDE, WINDOW, _begin
from slic_mmaction.collection.windows import WindowClips, place_windows
from slic_mmaction.decoding import open_reader
from slic_mmaction.durable_file import write_text
from slic_mmaction.preparation.video_files import scan_folder

RESULTS = Path(__file__).parent / "results" / "collection.json"
WINDOWS, DIM, FILES, TOP = 100_000, 128, 10_000, 10


def decode(folder: Path, paths: list[str], network: Network) -> None:
    """Decode the frames of all clips only."""
    for path in paths:
        with closing(open_reader(str(folder / path))) as reader:
            fps = reader.avg_fps or 25.0
            frames: set[int] = set()
            for start, end in place_windows(reader.num_frames / fps, WINDOW, STRIDE):
                clips = network.sampling.clips(start * fps, end * fps, reader.num_frames)
                frames.update(*(clip.tolist() for clip in clips))
            reader.read(sorted(frames))


def forward(network: Network, shape: torch.Size, count: int) -> None:
    """Run the network on a number of random clips."""
    with torch.no_grad():
        for start in range(0, count, 32):
            clips = torch.zeros(min(32, count - start), *shape)
            feats, _ = network.model.extract_feat(clips[:, None], stage="backbone")
            if network.layer == "projection":
                network.model.cls_head(feats)


def indexing(folder: Path, source: Path, rounds: int) -> dict[str, float]:
    """Measure the CPU seconds of indexing, and of its parts alone."""
    network, paths = Network.find(source), scan_folder(folder)[0]
    clips = [clip for chunk in WindowClips(folder, paths, network.sampling, network.transforms,
                                           WINDOW, STRIDE) for clip in chunk.clips]  # fmt: skip
    shape, count = clips[0].shape[1:] if clips[0].ndim == 5 else clips[0].shape, len(clips)
    del clips

    def index() -> None:
        with tempfile.TemporaryDirectory() as out:
            Collection.index(folder, out, network, num_workers=0)

    ways: dict[str, Callable[[], None]] = dict(
        decoding=lambda: decode(folder, paths, network),
        forward=lambda: forward(network, shape, count),
        indexing=index,
    )
    least = dict.fromkeys(ways, float("inf"))
    for number in range(rounds + 1):
        for name, way in ways.items():
            begin = time.process_time()
            way()
            if number:
                least[name] = min(least[name], time.process_time() - begin)
    ratio = least["indexing"] / (least["decoding"] + least["forward"])
    return dict(least, videos=len(paths), clips=count, ratio=ratio)


def queries() -> dict[str, float]:
    """Measure the milliseconds of queries in a running process, and compare with brute force."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((WINDOWS, DIM)).astype(np.float32)
    paths = [f"{i // 10:05}.mp4" for i in range(WINDOWS)]
    starts = np.arange(WINDOWS) % 10 * 4.0
    searcher = Searcher(vectors, paths, starts, starts + 4, np.zeros(WINDOWS, int))
    units = vectors.astype(np.float64)
    units /= np.linalg.norm(units, axis=1, keepdims=True)
    times = []
    for query in rng.standard_normal((50, DIM)).astype(np.float32):
        begin = time.perf_counter()
        hits = searcher.search(query, TOP)
        times.append(1000 * (time.perf_counter() - begin))
        best = np.argsort(-(units @ query), kind="stable")[:TOP]
        assert [(h.path, h.start) for h in hits] == [(paths[i], starts[i]) for i in best]
    return dict(median_ms=float(np.median(times)), slowest_ms=max(times))


def processes(source: Path) -> dict[str, float]:
    """Measure the seconds of commands: update of an unchanged folder, and query by path."""
    with tempfile.TemporaryDirectory() as place:
        folder, out = Path(place, "videos"), Path(place, "index")
        folder.mkdir()
        states = {}
        for i in range(FILES):
            file = folder / f"{i:05}.mp4"
            file.write_bytes(b"video")
            states[file.name] = (file.stat().st_size, file.stat().st_mtime_ns)
        out.mkdir()
        network = Network.find(source)
        _begin(folder, out, network, WINDOW, STRIDE)
        table = WindowTable(out)
        each = WINDOWS // FILES
        names = [name for name in states for _ in range(each)]
        vectors = np.random.default_rng(0).standard_normal((WINDOWS, DIM))
        starts = [4.0 * (i % each) for i in range(WINDOWS)]
        sizes, dates = zip(*(states[name] for name in names))
        table.add(names, starts, [s + 4 for s in starts], list(sizes), list(dates), vectors)
        table.publish()
        run = [shutil.which("slic") or sys.exit("install the package: the command slic is missing")]
        commands: dict[str, list[object]] = dict(
            unchanged_folder=["index", folder, "--out", out],
            search_indexed_path=["search", "00007.mp4", "--in", out],
            help=["--help"],
        )
        taken = {}
        for name, command in commands.items():
            times = []
            for _ in range(3):
                begin, before = time.perf_counter(), os.times()
                said = subprocess.run(
                    [*run, *(str(word) for word in command)],
                    capture_output=True,
                    text=True,
                    check=True,
                ).stdout
                cpu = sum(os.times()[2:4]) - sum(before[2:4])
                times.append((time.perf_counter() - begin, cpu))
            assert name != "unchanged_folder" or f"{FILES} unchanged" in said
            taken[f"{name}_s"], taken[f"{name}_cpu_s"] = min(times)
        return taken


def main() -> None:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("videos", type=Path, help="folder of videos")
    parser.add_argument("run", type=Path, help="folder of a run, or a model.pth")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS)
    args = parser.parse_args()
    torch.set_num_threads(1)
    found = dict(
        machine=f"{platform.machine()}, {os.cpu_count()} cores",
        indexing=indexing(args.videos, args.run, args.rounds),
        queries=queries(),
        processes=processes(args.run),
    )
    text = json.dumps(found, indent=1)
    print(text)
    write_text(args.out, text + "\n")


if __name__ == "__main__":
    main()
