"""Videos of many kinds in which every picture shows its own number.

A decoder's answer is judged by what can be seen in the picture, not by another decoder.
"""

from __future__ import annotations

import io
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

from ..videos import RATE, encode

BITS = 9


def numbered(number: int, size: tuple[int, int]) -> np.ndarray:
    """A picture whose number stands in it as dark and light columns, RGB uint8."""
    width, height = size
    bits = [number >> b & 1 for b in range(BITS)]
    row = np.repeat(bits, int(np.ceil(width / BITS)))[:width]
    noise = np.random.default_rng(number).integers(0, 40, (height // 8 + 1, width // 8 + 1))
    grey = 30 + 150 * row[None] + np.kron(noise, np.ones((8, 8), int))[:height, :width]
    picture = np.repeat(grey[..., None], 3, axis=-1).astype(np.uint8)
    picture[: height // 4, :, 2] = 0  # yellowish above: tells up from down and red from blue
    return picture


def number_of(picture: np.ndarray) -> int:
    """The number that a picture shows."""
    columns = picture[picture.shape[0] // 2 :, :, 0].mean(axis=0)
    step = int(np.ceil(len(columns) / BITS))
    bits = [columns[b * step : (b + 1) * step].mean() > 125 for b in range(BITS)]
    return sum(int(bit) << b for b, bit in enumerate(bits))


def numbers_of(pictures: Iterable[np.ndarray]) -> list[int]:
    return [number_of(picture) for picture in pictures]


def write(
    path: Path, num_frames: int = 60, size: tuple[int, int] = (80, 48), **settings: Any
) -> Path:
    """Encode numbered pictures; more in :func:`encode`."""
    return encode(path, (numbered(i, size) for i in range(num_frames)), **settings)


def write_streams(path: Path, marks: list[str]) -> Path:
    """Put videos of 5 frames into one file: the pictures of stream i show 100 i + frame.

    ``marks`` are the streams' dispositions; one that is ``attached_pic`` has a single picture.
    """
    with av.open(str(path), "w") as container:
        streams = []
        for mark in marks:
            codec = ("png", "rgb24") if mark == "attached_pic" else ("mpeg4", "yuv420p")
            streams.append(container.add_stream(codec[0], rate=RATE))
            streams[-1].width, streams[-1].height, streams[-1].pix_fmt = 80, 48, codec[1]
            streams[-1].disposition = av.stream.Disposition[mark] if mark else 0
        for i, stream in enumerate(streams):
            packets = []
            for number in range(1 if marks[i] == "attached_pic" else 5):
                picture = numbered(100 * i + number, (80, 48))
                frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
                frame.pts, frame.time_base = number, Fraction(1, RATE)
                packets += stream.encode(frame)
            for packet in packets + stream.encode():
                container.mux(packet)
    return path


def write_fields(path: Path, num_frames: int = 20) -> Path:
    """Write H.264 whose frames are two field pictures, as camcorders do and x264 cannot.

    Frame i is 64x64 of the grey 30 + 8 i, uncompressed (ITU-T H.264: I_PCM macroblocks).
    """

    def ue(value: int) -> str:  # Exp-Golomb code, 9.1
        bits = f"{value + 1:b}"
        return "0" * (len(bits) - 1) + bits

    def unit(header: int, bits: str) -> bytes:  # 7.3.1
        return b"\0\0\1" + bytes([header]) + np.packbits([int(b) for b in bits + "1"]).tobytes()

    # Main profile, order of output as of decoding, 4 x 2 macroblocks in a field; then the picture
    # parameters.
    sequence = unit(
        0x67, f"{77:08b}{0:08b}{30:08b}" + ue(0) * 2 + ue(2) + ue(1) + "0" + ue(3) + ue(1) + "00100"
    )
    picture = unit(0x68, ue(0) * 2 + "00" + ue(0) * 3 + "000" + ue(0) * 3 + "000")

    def field(number: int, bottom: int) -> bytes:
        key = number == 0 and not bottom
        slice_header = ue(0) + ue(7) + ue(0) + f"{number % 16:04b}1{bottom}"
        slice_header += ue(0) + "00" if key else "0"
        bits = slice_header + ue(0)
        for _ in range(8):
            bits += ue(25)
            bits += "0" * (-len(bits) % 8) + f"{30 + 8 * number:08b}" * 256 + f"{128:08b}" * 128
        return unit(0x65 if key else 0x61, bits)

    fields = b"".join(field(i, bottom) for i in range(num_frames) for bottom in (0, 1))
    raw = path.with_suffix(".h264")
    raw.write_bytes(sequence + picture + fields)
    with av.open(str(raw)) as source, av.open(str(path), "w") as container:
        stream = container.add_stream_from_template(source.streams.video[0])
        stream.time_base = Fraction(1, 2 * RATE)
        packets = (packet for packet in source.demux(video=0) if packet.size)
        for i, packet in enumerate(packets):
            packet.stream, packet.time_base = stream, Fraction(1, 2 * RATE)
            packet.pts, packet.dts, packet.duration = i, i, 1
            container.mux(packet)
    return path


def write_packed(path: Path, num_frames: int = 31) -> Path:
    """Write MPEG-4 as old DivX and Xvid did: P- and B-frame in one packet, then an empty one.

    AVI has no order of display; packing was the way round that.
    """
    buffer = io.BytesIO()
    with av.open(buffer, "w", format="avi") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 80, 48, "yuv420p"
        stream.codec_context.max_b_frames = 1
        stream.codec_context.gop_size = 300
        stream.codec_context.options = {"b_strategy": "0", "sc_threshold": "1000000000"}
        packets = []
        for i in range(num_frames):
            frame = av.VideoFrame.from_ndarray(numbered(i, (80, 48)), format="rgb24")
            packets += stream.encode(frame)
        packets += stream.encode()
    data = [bytes(packet) for packet in packets]
    # The writer's name in the user data says that B-frames are packed.
    header = data[0][: data[0].index(b"\x00\x00\x01\xb2")]
    picture = data[0][data[0].index(b"\x00\x00\x01\xb6") :]
    data[0] = header + b"\x00\x00\x01\xb2DivX503b1393p" + picture
    pairs = [data[0]]
    rest = data[1:]
    while len(rest) > 1:
        # N-VOP: a P-VOP header (vop_coding_type 01) that says it is not coded.
        pairs += [rest[0] + rest[1], b"\x00\x00\x01\xb6\x50\x00\x7f"]
        rest = rest[2:]
    pairs += rest
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 80, 48, "yuv420p"
        for i, chunk in enumerate(pairs):
            packet = av.Packet(chunk)
            packet.stream, packet.time_base = stream, Fraction(1, RATE)
            packet.pts, packet.dts, packet.duration = i, i, 1
            packet.is_keyframe = i == 0
            container.mux(packet)
    return path


def join(parts: list[Path], path: Path) -> Path:
    """Put the packets of some MPEG-4 files into one AVI file, as they are."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=RATE)
        stream.width, stream.height, stream.pix_fmt = 80, 48, "yuv420p"
        count = 0
        for part in parts:
            with av.open(str(part)) as source:
                for packet in source.demux(video=0):
                    if packet.size:
                        copy = av.Packet(bytes(packet))
                        copy.stream, copy.time_base = stream, Fraction(1, RATE)
                        copy.pts = copy.dts = count
                        copy.is_keyframe = packet.is_keyframe
                        container.mux(copy)
                        count += 1
    return path
