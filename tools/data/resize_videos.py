"""Resize a folder of videos to a short side, for faster decoding in training.

In the root of the repository:

    python tools/data/resize_videos.py data/ucf101/videos data/ucf101/videos_128 --short-side 128

Then prepare the new folder (``tools/data/*/prepare.py --videos data/ucf101/videos_128``). Frames
and their times are kept, and names except for the suffix .mp4. The sound is removed. A stopped run
continues with the same command.

The result is H.264 with a key frame every 16 frames, as from MMAction2's ``resize_videos.py
--dense``. A file of UCF101 has a single key frame, so that decoding a clip from its end takes more
than twice as long as one from its beginning.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import json
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from slic_mmaction.durable_file import durable_file, write_text
from slic_mmaction.preparation.annotations import write_faults
from slic_mmaction.preparation.journal import Journal, fingerprint
from slic_mmaction.preparation.options import add_worker_options, positive_int, run_tool
from slic_mmaction.preparation.probing import probe_video
from slic_mmaction.preparation.video_files import count_others, scan_folder
from slic_mmaction.preparation.workers import Failure, run_isolated
from slic_mmaction.progress import progress_bar

JOURNAL = "resize.jsonl"
SETTINGS = "resize.json"
FAULTS = "not_resized.csv"
DONE = ""
KEY_FRAME_EVERY = 16
# PyAV gives the rotation counter-clockwise, as FFmpeg's av_display_rotation_get.
UPRIGHT = {90: ("transpose=cclock",), 180: ("hflip", "vflip"), 270: ("transpose=clock",)}


@dataclass(frozen=True)
class Scaling:
    """Settings of the resized videos.

    Args:
        short_side: Pixels of the shorter side; both sides are rounded to even numbers, as H.264
            needs.
        upscale: Whether smaller videos are enlarged.
        crf: Quality of x264, 0 to 51; lower is better and larger.
    """

    short_side: int
    upscale: bool
    crf: int

    def filter(self) -> str:
        """FFmpeg filter, applied after the rotation that is stored in the file."""
        side = str(self.short_side // 2 * 2)
        width, height = (
            side if self.upscale else f"min({side},trunc({dim}/2)*2)" for dim in ("iw", "ih")
        )
        wider = "gt(iw,ih)"
        return f"scale=w='if({wider},-2,{width})':h='if({wider},{height},-2)':flags=bicubic"


def resize_video(job: tuple[str, str], scaling: Scaling) -> None:
    """Resize a video, check the result and write it atomically.

    Args:
        job: Paths of the source and of the target, a .mp4.
        scaling: Settings of the resized video.

    Raises:
        ValueError: If the source cannot be decoded, or the result has other frames.
        OSError: If there is no room for the result.
    """
    source, target = map(Path, job)
    before = probe_video(str(source))
    if reason := before.fault(min_frames=1, min_share=0.9):
        raise ValueError(reason)
    with durable_file(target) as file:
        part = Path(file.name)  # opened again by the encoder
        encode(source, part, scaling)
        after = probe_video(str(part))
        if after.frames != before.frames:
            raise ValueError(f"{before.frames} frames became {after.frames}; left as it is")


def encode(source: Path, target: Path, scaling: Scaling) -> None:
    """Write a resized video, keeping the time of every frame."""
    import av

    if "libx264" not in av.codec.codecs_available:
        raise ValueError("this PyAV has no x264: install PyAV's wheel (pip install av)")
    options = {"crf": str(scaling.crf), "g": str(KEY_FRAME_EVERY)}
    with av.open(str(source)) as reading, av.open(str(target), "w", format="mp4") as writing:
        stream = reading.streams.video[0]
        stream.codec_context.thread_count = 1
        rate, base = stream.average_rate or stream.guessed_rate, stream.time_base
        step = max(round(1 / (rate * base)), 1)
        graph: Any = None
        out: Any = None
        time = -step
        for frame in reading.decode(stream):
            # Frames of packed AVI files may have no time, or that of the previous frame.
            time = frame.pts if frame.pts is not None and frame.pts > time else time + step
            frame.pts = time
            if graph is None:
                graph = _graph(av, stream, scaling.filter(), frame.rotation)
            graph.push(frame)
            scaled = graph.pull()
            if out is None:
                out = writing.add_stream("libx264", rate=rate, options=options)
                out.width, out.height, out.pix_fmt = scaled.width, scaled.height, "yuv420p"
                out.codec_context.time_base = base
                out.codec_context.thread_count = 1
            scaled.pts, scaled.time_base, scaled.duration = time, base, frame.duration
            scaled.pict_type = 0  # else the encoder copies the source's choice of key frames
            writing.mux(out.encode(scaled))
        if out is not None:
            writing.mux(out.encode())


def _graph(av: Any, stream: Any, scale: str, rotation: int) -> Any:
    """Return a filter graph that rotates, scales and converts to the encoder's pixel format."""
    graph = av.filter.Graph()
    filters = [*UPRIGHT.get(rotation % 360, ()), scale, "setsar=1", "format=yuv420p"]
    nodes = [graph.add_buffer(template=stream)]
    nodes += [graph.add(*text.split("=", 1)) for text in filters]
    nodes.append(graph.add("buffersink"))
    for first, second in itertools.pairwise(nodes):
        first.link_to(second)
    graph.configure()
    return graph


def plan(source: Path, target: Path, scaling: Scaling) -> dict[Path, Path]:
    """Choose the target path of each video of ``source``.

    Raises:
        ValueError: If there are no videos, two would get the same name, or ``target`` lies within
            ``source`` or holds videos with other settings.
    """
    if source.resolve() in (target.resolve(), *target.resolve().parents):
        raise ValueError(f"{target} lies within {source}, which is read; name another folder.")
    names, others = scan_folder(source)
    if not names:
        raise ValueError(f"{source} holds no videos (skipped: {count_others(others)}).")
    targets = {source / p: target / PurePosixPath(p).with_suffix(".mp4") for p in names}
    for path, count in Counter(targets.values()).items():
        if count > 1:
            raise ValueError(f"{count} videos in {source} would become {path}; rename them.")
    settings = asdict(scaling)
    path = target / SETTINGS
    previous = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else settings
    if previous != settings:
        raise ValueError(
            f"{target} holds videos resized with {previous}, not with {settings}; name another "
            "folder."
        )
    write_text(path, json.dumps(settings) + "\n")
    return targets


def main(argv: Sequence[str] | None = None) -> int:
    """Resize all videos and return the exit code."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("source", type=Path, help="folder of the videos")
    add("target", type=Path, help="folder for the results")
    add("--short-side", type=positive_int, default=256, help="pixels of the shorter side")
    add("--upscale", action="store_true", help="enlarge smaller videos as well")
    add("--crf", type=int, default=20, choices=range(52), metavar="0..51", help="x264's quality")
    add_worker_options(parser, timeout=600.0)
    args = parser.parse_args(argv)
    scaling = Scaling(args.short_side, args.upscale, args.crf)
    targets = plan(args.source, args.target, scaling)

    faults: dict[Path, str] = {}
    passing = 0
    states: dict[tuple[str, str], list[int]] = {}
    journal = Journal(args.target / JOURNAL)
    for source, target in targets.items():
        try:
            state, record = fingerprint(source), journal.get(source)
        except OSError as error:
            faults[source] = f"cannot be read: {error.strerror}"
            passing += 1
            continue
        if record is None or (record == DONE and not target.is_file()):
            states[str(source), str(target)] = state
        elif record != DONE:
            faults[source] = record
    before = len(targets) - len(states) - len(faults)
    work = functools.partial(resize_video, scaling=scaling)
    outcomes = run_isolated(work, states, args.workers, args.timeout)
    with progress_bar("resizing", total=len(states)) as advance:
        for job, outcome in outcomes:
            source = Path(job[0])
            if isinstance(outcome, Failure):
                faults[source] = outcome.reason
                passing += outcome.transient
            if not (isinstance(outcome, Failure) and outcome.transient):
                journal.put(source, states[job], faults.get(source, DONE))
            advance()
    write_faults(args.target / FAULTS, faults)
    done = len(targets) - before - len(faults)
    print(
        f"videos found: {len(targets)}, resized now: {done}, before: {before}, "
        f"failed: {len(faults)}"
    )
    if faults:
        print(f"failed videos and reasons: {args.target / FAULTS}")
    if passing:
        print(f"{passing} of them may succeed later: run the same command again.")
    if not done + before:
        return 1
    folder = shlex.quote(str(args.target))
    print(f"next, for videos of your own: python tools/data/custom/prepare.py {folder}")
    print(f"or the data set's prepare.py with --videos {folder} (Kinetics-400: --videos-train)")
    return 1 if passing else 0


if __name__ == "__main__":
    run_tool(main)
