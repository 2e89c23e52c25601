"""Measure the size, error and cost of formats for the flow of a video, and of computing it.

The flow of one video (DIS, which takes seconds) is stored in each format. Then 16 consecutive
frames are read from different places, in all formats in turn, and the CPU time is measured.

    python benchmarks/flow_storage.py data/ucf101/videos/JumpingJack/v_JumpingJack_g01_c07.avi \\
        --out flow_storage.json
"""

from __future__ import annotations

import argparse
import itertools
import json
import statistics
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path

import av
import cv2
import numpy as np

from slic_mmaction.decoding import open_reader
from slic_mmaction.durable_file import write_text
from slic_mmaction.flow.estimate import METHODS, build_estimator, shrunk_gray, video_flow
from slic_mmaction.flow.images import flow_levels, forward_images
from slic_mmaction.flow.store import FlowSettings, read_flow, read_rawframes, write_flow

CLIP_LEN = 16
Reader = Callable[[Sequence[int]], list[np.ndarray]]


def shipped(folder: Path, fields: np.ndarray) -> Reader:
    """Store flow as tools/data/extract_flow.py does."""
    path = folder / "video.flow.zip"
    write_flow(path, fields, FlowSettings())
    return lambda frames: read_flow(path, frames)


def zip_of_png(folder: Path, fields: np.ndarray) -> Reader:
    """Store flow in a ZIP file of lossless PNG images."""
    path = folder / "video.zip"
    with zipfile.ZipFile(path, "w") as file:
        for number, image in enumerate(grey(fields)):
            file.writestr(str(number), cv2.imencode(".png", image)[1].tobytes())

    def read(frames: Sequence[int]) -> list[np.ndarray]:
        with zipfile.ZipFile(path) as file:
            pngs = [np.frombuffer(file.read(str(n)), np.uint8) for n in frames]
        return [np.asarray(cv2.imdecode(png, cv2.IMREAD_GRAYSCALE)) for png in pngs]

    return read


def zlib_blocks(folder: Path, fields: np.ndarray) -> Reader:
    """Store blocks of sixteen frames with lossless compression."""
    images = grey(fields)
    shape = images.shape[1:]
    path = folder / "video.zip"
    with zipfile.ZipFile(path, "w") as file:
        for begin in range(0, len(images), CLIP_LEN):
            block = images[begin : begin + CLIP_LEN].tobytes()
            file.writestr(str(begin // CLIP_LEN), zlib.compress(block))

    def read(frames: Sequence[int]) -> list[np.ndarray]:
        with zipfile.ZipFile(path) as file:
            blocks = {
                b: np.frombuffer(zlib.decompress(file.read(str(b))), np.uint8).reshape(-1, *shape)
                for b in {n // CLIP_LEN for n in frames}
            }
        return [blocks[n // CLIP_LEN][n % CLIP_LEN] for n in frames]

    return read


def loose_jpeg(folder: Path, fields: np.ndarray) -> Reader:
    """Store one JPEG file per frame, as MMAction2's raw flow frames."""
    for number, image in enumerate(grey(fields), start=1):
        cv2.imwrite(str(folder / f"flow_x_{number:05}.jpg"), image)
    return lambda frames: read_rawframes(folder, frames, len(fields))


def ffv1(folder: Path, fields: np.ndarray) -> Reader:
    """Store a lossless video of key frames with PyAV."""
    images, rate = grey(fields), 25
    path = folder / "video.mkv"
    with av.open(str(path), "w") as file:
        stream = file.add_stream("ffv1", rate=rate, options={"g": "1"})
        stream.height, stream.width = images.shape[1:]
        stream.pix_fmt = "gray"
        for image in images:
            file.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="gray")))
        file.mux(stream.encode())

    def read(frames: Sequence[int]) -> list[np.ndarray]:
        with av.open(str(path)) as file:
            stream = file.streams.video[0]
            stream.codec_context.thread_count = 1
            file.seek(int(frames[0] / rate / stream.time_base), stream=stream)
            late = (f for f in file.decode(stream) if round(f.time * rate) >= frames[0])
            return [frame.to_ndarray() for frame in itertools.islice(late, len(frames))]

    return read


def grey(fields: np.ndarray) -> np.ndarray:
    return np.stack([flow_levels(field[..., 0]) for field in fields])


def computed(video: Path, method: str) -> Reader:
    """Store nothing: decode frames and estimate their flow, as FlowView(source=method) does."""
    decoded = rgb(video)

    def read(frames: Sequence[int]) -> list[np.ndarray]:
        estimate = build_estimator(method)
        small = [shrunk_gray(frame, 128) for frame in decoded(frames)]
        return forward_images(small, frames, lambda a, b: flow_levels(estimate(a, b)[..., 0]))

    return read


def rgb(video: Path) -> Reader:
    """Decode the same RGB frames of the video, for comparison."""

    def read(frames: Sequence[int]) -> list[np.ndarray]:
        with closing(open_reader(str(video))) as reader:
            return reader.frames(frames)

    return read


def estimate_ms(video: Path, method: str, frames: int = 10) -> float:
    """Measure the CPU time per frame of decoding, scaling to 128 pixels and estimating."""
    start = time.process_time()
    made = sum(1 for _ in itertools.islice(video_flow(video, method, 128), frames))
    return 1e3 * (time.process_time() - start) / made


def cpu_ms(read: Reader, frames: Sequence[int]) -> float:
    start = time.process_time()
    read(frames)
    return 1e3 * (time.process_time() - start)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("video", type=Path)
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--out", type=Path, help="also write the result to this JSON file")
    args = parser.parse_args()
    cv2.setNumThreads(1)

    fields = np.stack(list(video_flow(args.video, "dis", 128)))
    true = grey(fields).astype(int)
    ways = [shipped, zip_of_png, zlib_blocks, loose_jpeg, ffv1]
    rng = np.random.default_rng(0)
    starts = rng.integers(0, max(len(fields) - CLIP_LEN, 1), args.repeats)
    clips = [range(s, min(s + CLIP_LEN, len(fields))) for s in starts]
    with tempfile.TemporaryDirectory() as scratch:
        readers, rows = {}, {}
        for way in ways:
            folder = Path(scratch, way.__name__)
            folder.mkdir()
            start = time.process_time()
            readers[way.__name__] = way(folder, fields)
            seconds = time.process_time() - start
            size = sum(path.stat().st_size for path in folder.iterdir())
            read = np.stack(readers[way.__name__](range(len(fields))))
            rows[way.__name__] = {
                "bytes_per_frame": size / len(fields),
                "mean_error_levels": float(np.abs(read - true).mean()),
                "write_ms_per_frame": 1e3 * seconds / len(fields),
            }
        readers.update({"dis on the fly": computed(args.video, "dis"), "rgb": rgb(args.video)})
        times = [{name: cpu_ms(read, clip) for name, read in readers.items()} for clip in clips]
    for name in readers:
        rows.setdefault(name, {})["read_16_ms"] = statistics.median(t[name] for t in times)

    print(f"{args.video.name}: {len(fields)} frames of {true.shape[2]}x{true.shape[1]}, CPU time")
    for name, row in rows.items():
        print(f"{name:16}", ", ".join(f"{key} {value:.2f}" for key, value in row.items()))
    estimates = {method: estimate_ms(args.video, method) for method in METHODS}
    print("estimate, ms per frame:", {name: round(ms, 1) for name, ms in estimates.items()})
    if args.out:
        result = {"video": args.video.name, "frames": len(fields), "opencv": cv2.__version__}
        result["estimate_ms_per_frame"] = estimates
        write_text(args.out, json.dumps({**result, "ways": rows}, indent=2))


if __name__ == "__main__":
    main()
