"""Decoding with PyAV (FFmpeg's own libraries, one packet at a time)."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import closing
from itertools import chain
from typing import Any

import numpy as np

from .packet_index import PacketIndex
from .reader import UnreadableVideoError, VideoReader

# Containers that store when each frame is shown. Others (AVI above all) store only the order
# of decoding, and FFmpeg guesses: in UCF101's Xvid files with B-frames it guesses wrong.
TIMED_CONTAINERS = ("mov", "mp4", "matroska", "webm")


class PyAVReader(VideoReader):
    """Reads a video with PyAV 17 or later.

    Opening walks through the packets without decoding any. So the number of frames is that
    of the file and not its header's, and the key frames are known: where the container's
    timestamps can be trusted, decoding begins at the key frame before the wanted frames, and
    pictures on which no other depends are not decoded unless wanted. If a wanted frame does
    not come out that way, or where timestamps cannot be trusted, the file is decoded from its
    beginning and frames are counted.

    Args:
        name (str): Path, for messages.
        source (str | bytes): The path, or the file's content.
        num_threads (int): Decoding threads.

    Raises:
        UnreadableVideoError: If it cannot be opened or has no video frames.
    """

    def __init__(self, name: str, source: str | bytes, num_threads: int = 1) -> None:
        super().__init__(name)
        import av
        from av.video.reformatter import VideoReformatter

        self._av = av
        self._source = source
        self._threads = num_threads
        # One for all frames: a new one for each costs more than the conversion itself.
        self._to_rgb = VideoReformatter()
        self._shape: tuple[int, int, int] | None = None
        try:
            self._open()
            self._index = self._index_of_avi() or self._walk()
        except av.FFmpegError as error:
            raise UnreadableVideoError(
                f"The video {name} cannot be opened ({error.strerror})."
            ) from error
        if not len(self._index):
            raise UnreadableVideoError(f"The video {name} has no frames.")
        self.num_frames = len(self._index)
        self.promised_frames = self.num_frames + self._lost

    def close(self) -> None:
        """Close the file; left to the garbage collector it is closed late (PyAV issue 1117)."""
        self._container.close()

    def read(self, indices: Sequence[int]) -> dict[int, np.ndarray]:
        """See :meth:`VideoReader.read`."""
        wanted = [i for i in indices if i < self.num_frames]
        try:
            found = self._read_timed(wanted) if self._index.timed else {}
            if len(found) < len(wanted):
                found = self._read_counted(wanted)
        except self._av.FFmpegError as error:
            raise UnreadableVideoError(
                f"The video {self.name} cannot be decoded ({error.strerror})."
            ) from error
        return found

    def _open(self) -> None:
        source = io.BytesIO(self._source) if isinstance(self._source, bytes) else self._source
        self._container: Any = self._av.open(source, metadata_errors="ignore")
        # A picture attached to a sound file counts as a video stream, too.
        attached = self._av.stream.Disposition.attached_pic
        streams = [s for s in self._container.streams.video if not s.disposition & attached]
        if not streams:
            self._container.close()
            raise UnreadableVideoError(f"The file {self.name} has no video stream.")
        self._stream = streams[0]
        self._stream.thread_type = "NONE" if self._threads == 1 else "AUTO"
        self._stream.codec_context.thread_count = self._threads
        self.avg_fps = float(self._stream.average_rate or 0)
        names = self._container.format.name.split(",")
        self._stores_times = any(name in TIMED_CONTAINERS for name in names)

    def _index_of_avi(self) -> PacketIndex | None:
        """AVI ends with a list of all packets: reading that takes a tenth of walking."""
        if self._container.format.name != "avi":
            return None
        entries = list(self._stream.index_entries)
        if len(entries) != self._stream.frames:
            return None  # cut off before the list
        self._lost = 0
        shown = [entry for entry in entries if entry.size]
        keys = [entry.timestamp for entry in shown if entry.is_keyframe]
        reordered = bool(self._stream.codec_context.has_b_frames)
        return PacketIndex([entry.timestamp for entry in shown], keys, guessed=reordered)

    def _cut_off(self, shown: Sequence[int | None]) -> int:
        """Frames that Matroska, which counts none, lacks at the end of the picture's length."""
        stamps = [stamp for stamp in shown if stamp is not None]
        clock = self._stream.metadata.get("DURATION", "").split(":")  # hours:minutes:seconds
        if self._stream.frames or len(stamps) < 2 or len(clock) != 3:
            return 0
        end = sum(60**i * float(part) for i, part in enumerate(reversed(clock)))
        base: Any = self._stream.time_base
        spacing = (max(stamps) - min(stamps)) / (len(stamps) - 1) * base
        return round((end - max(stamps) * base) / spacing) - 1 if spacing else 0

    def _walk(self) -> PacketIndex:
        shown, keys, reordered, edited = [], [], False, False
        walked = 0
        for packet in self._container.demux(self._stream):
            walked += packet.size > 0 or packet.dts is not None
            if not packet.size:
                continue
            if packet.is_discard:
                edited = True
            else:
                shown.append(packet.pts)
            if packet.is_keyframe and packet.pts is not None:
                keys.append(packet.pts)
            reordered |= packet.pts != packet.dts
        # A header also counts what an edit list takes out of the video.
        self._lost = 0 if edited else max(self._stream.frames - walked, self._cut_off(shown), 0)
        return PacketIndex(shown, keys, guessed=reordered and not self._stores_times)

    def _packets(self) -> Iterator[Any]:
        """Packets that hold something: AVI marks a dropped frame by an empty one."""
        # Closed by hand: PyAV 18 loses 290 bytes for each that is left unfinished.
        with closing(self._container.demux(self._stream)) as packets:
            for packet in packets:
                if packet.size:
                    yield packet

    def _read_timed(self, indices: Sequence[int]) -> dict[int, np.ndarray]:
        found: dict[int, np.ndarray] = {}
        context: Any = self._stream.codec_context
        b_frame = self._av.video.frame.PictureType.B
        for key, run in self._index.runs(indices):
            self._container.seek(key, stream=self._stream, backward=True)
            skip = context.skip_frame = "DEFAULT"
            for packet in self._packets_with(set(run)):
                if self._stores_times and packet is not None:
                    needed = "DEFAULT" if packet.pts in run else "NONREF"
                    if needed != skip:
                        skip = context.skip_frame = needed
                for frame in self._decode(packet):
                    if frame.pict_type == b_frame and not self._stores_times:
                        # None was there when the file was opened: the timestamps are wrong.
                        self._index.timed = False
                        return {}
                    if frame.pts in run and not frame.is_corrupt:
                        found[run[frame.pts]] = self._picture(frame)
        return found

    def _packets_with(self, stamps: set[int]) -> Iterator[Any]:
        """Packets up to the last of some, and None: what the decoder holds back comes out."""
        for packet in self._packets():
            yield packet
            stamps.discard(packet.pts)
            if not stamps:
                break
        yield None

    def _read_counted(self, indices: Sequence[int]) -> dict[int, np.ndarray]:
        # A fresh start: not every container can be rewound exactly.
        self.close()
        self._open()
        found: dict[int, np.ndarray] = {}
        wanted = set(indices)
        last = max(indices)
        count = 0
        for packet in chain(self._packets(), [None]):
            for frame in self._decode(packet):
                if count in wanted:
                    found[count] = self._picture(frame)
                count += 1
            if count > last:
                return found
        self.num_frames = count
        return found

    def _decode(self, packet: Any) -> list[Any]:
        try:
            return self._stream.codec_context.decode(packet)
        except self._av.error.InvalidDataError:
            # A damaged packet: the frames after it may still be whole.
            return []

    def _picture(self, frame: Any) -> np.ndarray:
        if self._shape is None:
            # The first frame's hold for all: some streams change their size midway.
            self._shape = frame.width, frame.height, round(frame.rotation / 90) % 4
        width, height, turns = self._shape
        image = self._to_rgb.reformat(frame, width, height, format="rgb24", threads=1)
        picture = image.to_ndarray()
        return np.ascontiguousarray(np.rot90(picture, turns)) if turns else picture
