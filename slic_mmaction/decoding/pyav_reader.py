"""Decoding with PyAV, which wraps FFmpeg's libraries."""

from __future__ import annotations

import math
import re
from bisect import bisect_right
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np

from .container import display_matrix, may_split_fields, open_container, upright
from .reader import CLOCKLESS, UnreadableVideoError, VideoReader

# Containers that store when each frame is shown. Others, such as AVI, store only the order of
# decoding. FFmpeg then guesses, and is wrong for UCF101's Xvid files with B-frames.
TIMED_CONTAINERS = ("mov", "mp4", "matroska", "webm")
# Fewer frames than this are decoded instead of skipped: seeking a key frame takes as long as
# decoding one or two frames (0.10 ms in an Xvid file of 320x240, 0.16 in an MP4 of 170x128).
MIN_JUMP = 3
# A constant rate is right if it shows no frame this many seconds too early or too late.
MAX_SHIFT = 0.05
# No frame is shown for more than this many seconds, except in damaged files.
MAX_PAUSE = 3600


@dataclass
class PacketIndex:
    """Timestamps of all packets of a video stream, with any first value.

    Args:
        shown: Presentation timestamp of each packet that is shown, in the order of the file,
            which is the order of decoding.
        keys: Timestamps of the key frames, where decoding may begin.
        guessed: Whether FFmpeg guessed the timestamps instead of reading them.
        last: Duration of the last frame, in units of the timestamps; 0 if unknown.
    """

    shown: list[int | None]
    keys: list[int]
    guessed: bool
    last: int = 0

    def __post_init__(self) -> None:
        known = [stamp for stamp in self.shown if stamp is not None]
        self.keys = sorted(self.keys)
        self.order: list[int] = sorted(known)
        # The i-th timestamp is that of frame i only if all packets have distinct timestamps.
        self.timed = (
            not self.guessed
            and bool(self.keys)
            and bool(self.order)
            and len(set(known)) == len(self.shown)
            and self.keys[0] <= self.order[0]
        )

    def runs(self, indices: Sequence[int]) -> list[tuple[int, dict[int, int]]]:
        """Split frames into runs, each decoded from the key frame before it without seeking.

        Args:
            indices: Frame numbers below ``len(self.shown)``, ascending.

        Returns:
            For each run the timestamp of its key frame, and its frames as
            ``{timestamp: frame number}``.
        """
        runs: list[tuple[int, dict[int, int]]] = []
        last = None
        for index in indices:
            stamp = self.order[index]
            key = self.keys[bisect_right(self.keys, stamp) - 1]
            # Number of frames between the last wanted one and the key frame, which a seek saves.
            spared = 0 if last is None else bisect_right(self.order, key) - 2 - last
            if last is None or spared >= MIN_JUMP:
                runs.append((key, {}))
            runs[-1][1][stamp] = index
            last = index
        return runs


class PyAVReader(VideoReader):
    """Reader of a video with PyAV 17 or later.

    Opening reads all packets without decoding them. This gives the true number of frames, instead
    of the header's, and the key frames. If the container's timestamps are reliable, decoding
    begins at the key frame before the requested frames, and other pictures are skipped if no
    picture depends on them. If a requested frame is not found in this way, or timestamps are not
    reliable, the file is decoded from its beginning and frames are counted.

    Args:
        name: Path, for messages.
        source: Path of the file, or its content.
        num_threads: Number of decoding threads.

    Raises:
        UnreadableVideoError: If the file cannot be opened or has no video frames.
    """

    def __init__(self, name: str, source: str | bytes, num_threads: int = 1) -> None:
        super().__init__(name)
        import av
        from av.video.reformatter import VideoReformatter

        self._av = av
        self._source = source
        self._threads = num_threads
        # One converter for all frames: creating one takes longer than converting a frame.
        self._to_rgb = VideoReformatter()
        self._size: tuple[int, int] | None = None
        try:
            self._open()
            self._index = self._index_of_avi() or self._walk()
            self.num_frames = len(self._index.shown)
            if may_split_fields(self._stream, self._first_frame):
                self.num_frames = sum(1 for _ in self._decoded())
                self._index.timed &= self.num_frames == len(self._index.shown)
        except av.FFmpegError as error:
            raise self._failure("opened", error) from error
        if not self.num_frames:
            raise UnreadableVideoError(f"The video {name} has no frames.")
        self.promised_frames = self.num_frames + self._lost

    def close(self) -> None:
        """Close the file, which the garbage collector would do late (PyAV issue 1117)."""
        self._container.close()

    def read(self, indices: Sequence[int]) -> dict[int, np.ndarray]:
        """See :meth:`VideoReader.read`."""
        wanted = [i for i in indices if i < self.num_frames]
        try:
            found = dict(self._read_timed(wanted)) if self._index.timed else {}
            # Frames found before the timestamps proved wrong are wrong as well.
            if len(found) < len(wanted) or not self._index.timed:
                found = dict(self._read_counted(wanted))
        except self._av.FFmpegError as error:
            raise self._failure("decoded", error) from error
        return found

    def stream(self, indices: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        """See :meth:`VideoReader.stream`."""
        wanted = [i for i in indices if i < self.num_frames]
        missing = set(wanted)
        try:
            if self._index.timed and self._stores_times:
                for number, picture in self._read_timed(wanted):
                    missing.discard(number)
                    yield number, picture
            yield from self._read_counted(sorted(missing))
        except self._av.FFmpegError as error:
            raise self._failure("decoded", error) from error

    def timeline(self) -> tuple[float, np.ndarray]:
        """See :meth:`VideoReader.timeline`. True times need reliable timestamps."""
        rate, numbers = super().timeline()
        order = self._index.order
        if not self._index.timed or len(order) < 2:
            return rate, numbers
        last = self._index.last or (order[-1] - order[0]) / (len(order) - 1)
        times = (np.array([*order, order[-1] + last], float) - order[0]) * self._time_base
        if np.diff(times).max() > MAX_PAUSE:
            return rate, numbers
        true_mean = len(order) / float(times[-1])
        for mean in (rate, true_mean):
            if np.abs(times - np.arange(len(times)) / mean).max() < MAX_SHIFT:
                return mean, numbers
        rate = max(true_mean, CLOCKLESS)
        middles = (np.arange(max(1, round(times[-1] * rate))) + 0.5) / rate
        return rate, np.searchsorted(times[:-1], middles, side="right") - 1

    def __iter__(self) -> Iterator[np.ndarray]:
        try:
            with closing(self._decoded()) as frames:
                for frame in frames:
                    yield self._picture(frame)
        except self._av.FFmpegError as error:
            raise self._failure("decoded", error) from error

    def _failure(self, what: str, error: Any) -> UnreadableVideoError:
        return UnreadableVideoError(f"The video {self.name} cannot be {what} ({error.strerror}).")

    def _open(self) -> None:
        self._container, self._stream = open_container(self.name, self._source)
        self._stream.thread_type = "NONE" if self._threads == 1 else "AUTO"
        self._stream.codec_context.thread_count = self._threads
        self.avg_fps = float(self._stream.average_rate or 0)
        self._time_base = float(self._stream.time_base)
        names = self._container.format.name.split(",")
        self._stores_times = any(name in TIMED_CONTAINERS for name in names)

    def _index_of_avi(self) -> PacketIndex | None:
        """Read the list of all packets at the end of an AVI file, ten times faster than a walk."""
        if self._container.format.name != "avi":
            return None
        entries = list(self._stream.index_entries)
        # Its timestamps are positions that, like the header, include frames dropped by a recorder.
        if not entries or entries[-1].timestamp + 1 != self._stream.frames:
            return None  # the file was cut off before the list
        self._lost = 0
        shown = [entry for entry in entries if entry.size]
        keys = [entry.timestamp for entry in shown if entry.is_keyframe]
        reordered = bool(self._stream.codec_context.has_b_frames)
        stamps = [entry.timestamp for entry in shown]
        last = entries[-1].timestamp + 1 - stamps[-1] if stamps else 0
        return PacketIndex(stamps, keys, reordered, last)

    def _walk(self) -> PacketIndex:
        shown, keys, reordered, edited = [], [], False, False
        walked, last = 0, (-math.inf, 0)
        for packet in self._container.demux(self._stream):
            walked += packet.size > 0 or packet.dts is not None
            if self._container.format.name == "avi" and packet.dts is not None:
                walked = max(walked, packet.dts + 1)  # see _index_of_avi
            if not packet.size:
                continue
            if packet.is_discard:
                edited = True
            else:
                shown.append(packet.pts)
                if packet.pts is not None:
                    last = max(last, (packet.pts, max(packet.duration or 0, 0)))
            if packet.is_keyframe and packet.pts is not None:
                keys.append(packet.pts)
            reordered |= packet.pts != packet.dts
        # A header also counts frames that an edit list removes.
        promised = self._stream.frames or self._promised_by_time(shown)
        self._lost = 0 if edited else max(promised - walked, 0)
        return PacketIndex(shown, keys, reordered and not self._stores_times, last[1])

    def _promised_by_time(self, shown: list[int | None]) -> int:
        """Estimate the number of frames in Matroska and WebM from the end time of the video."""
        written = re.match(r"(\d+):(\d+):([\d.]+)", self._stream.metadata.get("DURATION", ""))
        stamps = {stamp for stamp in shown if stamp is not None}
        if written is None or len(stamps) < 2:
            return 0
        hours, minutes, seconds = map(float, written.groups())
        end = (3600 * hours + 60 * minutes + seconds) / self._stream.time_base
        begin, last = min(stamps), max(stamps)
        return round((end - begin) / (last - begin) * (len(shown) - 1))

    def _packets(self) -> Iterator[Any]:
        """Yield non-empty packets; AVI has an empty one for a dropped frame."""
        # Closed explicitly, because PyAV 18 leaks 290 bytes for each unfinished iterator.
        with closing(self._container.demux(self._stream)) as packets:
            for packet in packets:
                if packet.size:
                    yield packet

    def _read_timed(self, indices: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
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
                        # B-frames without reordering in the index: the timestamps are wrong.
                        self._index.timed = False
                        return
                    if frame.pts in run and not frame.is_corrupt:
                        yield run[frame.pts], self._picture(frame)

    def _packets_with(self, stamps: set[int]) -> Iterator[Any]:
        """Yield packets up to the last of ``stamps``, and None, which flushes the decoder."""
        for packet in self._packets():
            yield packet
            stamps.discard(packet.pts)
            if not stamps:
                break
        yield None

    def _read_counted(self, indices: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        if not indices:
            return
        wanted = set(indices)
        with closing(self._decoded()) as frames:
            for number, frame in enumerate(frames):
                if number in wanted:
                    yield number, self._picture(frame)
                if number == indices[-1]:
                    break

    def _first_frame(self) -> Any:
        with closing(self._decoded()) as frames:
            return next(frames, None)

    def _decoded(self) -> Generator[Any, None, None]:
        """Yield every ``av.VideoFrame`` from the beginning, and set their number at the end."""
        # Open the file again, because not every container can seek to its exact beginning.
        self.close()
        self._open()
        count = 0
        for packet in chain(self._packets(), [None]):
            for frame in self._decode(packet):
                count += 1
                yield frame
        self.num_frames = count

    def _decode(self, packet: Any) -> list[Any]:
        try:
            return self._stream.codec_context.decode(packet)
        except self._av.error.InvalidDataError:
            # The packet is damaged, but later frames may be intact.
            return []

    def _picture(self, frame: Any) -> np.ndarray:
        if self._size is None:
            # Use those of the first frame for all: some streams change their size.
            self._size, self._matrix = (frame.width, frame.height), display_matrix(frame)
        image = self._to_rgb.reformat(frame, *self._size, format="rgb24", threads=1)
        return upright(image.to_ndarray(), self._matrix)
