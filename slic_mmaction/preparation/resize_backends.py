"""The two ways to scale a video: the ``ffmpeg`` program, or PyAV."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import Any

KEY_FRAME_EVERY = 16
# PyAV gives the turn counter-clockwise, as FFmpeg's av_display_rotation_get.
UPRIGHT = {90: ("transpose=cclock",), 180: ("hflip", "vflip"), 270: ("transpose=clock",)}


def resize_by_ffmpeg(
    ffmpeg: str, source: Path, target: Path, scale: str, crf: int, timeout: float
) -> None:
    """Scale a video with the program; every frame keeps its time.

    Args:
        ffmpeg (str): Path of the program.
        source (Path): The video.
        target (Path): The result, in MP4 format.
        scale (str): Scaling filter.
        crf (int): Quality.
        timeout (float): Seconds.

    Raises:
        ValueError: If it fails; with the last thing that it said.
    """
    command = [ffmpeg, "-hide_banner", "-loglevel", "error", "-nostdin", "-y", "-threads", "1"]
    # A path beginning with `/` is never taken for a protocol or an option.
    command += ["-i", str(source.resolve()), "-map", "0:V:0", "-filter_threads", "1"]
    command += ["-vf", f"{scale},setsar=1,format=yuv420p", *_keep_times(ffmpeg)]
    # Fine enough for any time in the source, which the default, 1 / rate, is not; the words for
    # "that of the source" differ between versions.
    command += ["-enc_time_base", "1:90000"]
    command += ["-c:v", "libx264", "-crf", str(crf), "-g", str(KEY_FRAME_EVERY), "-threads", "1"]
    command += ["-map_metadata", "-1", "-f", "mp4", str(target.resolve())]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=timeout
        )
    except subprocess.TimeoutExpired as error:
        raise ValueError(f"ffmpeg took longer than {timeout:g} s") from error
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise ValueError(f"ffmpeg failed: {said[-1]}")


def _keep_times(ffmpeg: str) -> tuple[str, ...]:
    """Options that neither drop nor repeat frames; renamed in 5.1, the old name left in 8."""
    banner = subprocess.run([ffmpeg, "-version"], capture_output=True, text=True).stdout
    version = re.search(r"version n?(\d+)\.(\d+)", banner)
    old = version is not None and (int(version[1]), int(version[2])) < (5, 1)
    return ("-vsync" if old else "-fps_mode", "passthrough")


def resize_by_pyav(source: Path, target: Path, scale: str, crf: int) -> None:
    """Scale a video with PyAV; every frame keeps its time.

    Args:
        source (Path): The video.
        target (Path): The result, in MP4 format.
        scale (str): Scaling filter.
        crf (int): Quality.

    Raises:
        ValueError: If PyAV was built without x264.
    """
    import av

    if "libx264" not in av.codec.codecs_available:
        raise ValueError("this PyAV has no x264; install ffmpeg (sudo apt install ffmpeg)")
    options = {"crf": str(crf), "g": str(KEY_FRAME_EVERY)}
    with av.open(str(source)) as reading, av.open(str(target), "w", format="mp4") as writing:
        stream = reading.streams.video[0]
        stream.codec_context.thread_count = 1
        rate, base = stream.average_rate or stream.guessed_rate, stream.time_base
        step = max(round(1 / (rate * base)), 1)
        graph: Any = None
        out: Any = None
        time = -step
        for frame in reading.decode(stream):
            # Frames of packed AVI files may have no time, or that of the frame before.
            time = frame.pts if frame.pts is not None and frame.pts > time else time + step
            frame.pts = time
            if graph is None:
                graph = _graph(av, stream, scale, frame.rotation)
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
    """Filter graph: upright, scaled, in the encoder's pixel format."""
    graph = av.filter.Graph()
    filters = [*UPRIGHT.get(rotation % 360, ()), scale, "setsar=1", "format=yuv420p"]
    nodes = [graph.add_buffer(template=stream)]
    nodes += [graph.add(*text.split("=", 1)) for text in filters]
    nodes.append(graph.add("buffersink"))
    for first, second in zip(nodes, nodes[1:]):
        first.link_to(second)
    graph.configure()
    return graph
