"""Does a video decode from its first frame to its last?

The whole file is decoded by OpenCV: it comes with every installation, and a file of UCF101
has one key frame, so that reaching its last frame means decoding all of them anyway (30
files: 10 ms of CPU each against 8 ms for a seek to the first, middle and last frame). Seeking
also misjudges: in files cut off at the end OpenCV "reads" the last frame, and in sound ones of
variable frame rate it does not. decord opens a truncated .mkv or .webm as a shorter video.
"""

from __future__ import annotations

import math
import os
from dataclasses import dataclass

import cv2

# Decoders disagree by up to so many frames on sound files (packed B-frames in UCF101).
FRAME_SLACK = 8


@dataclass(frozen=True)
class Probe:
    """What decoding a file gave.

    Args:
        frames (int): Frames that decode.
        declared_frames (int): Frames that the header speaks of; 0 if it does not.
        share (float): Part of the declared length that decodes, in [0, 1].
        error (str): Why nothing could be measured, or nothing.
        waited (float | None): Seconds waited for a file that hung.
        transient (bool): Whether the error says nothing about the file's content.
    """

    frames: int = 0
    declared_frames: int = 0
    share: float = 0.0
    error: str = ""
    waited: float | None = None
    transient: bool = False


def probe_video(path: str) -> Probe:
    """Decode a video with one thread.

    Args:
        path (str): The file.

    Returns:
        Probe: What came out of it.

    Raises:
        OSError: If the file cannot be read at all (which says nothing about its content).
    """
    with open(path, "rb") as file:
        if not file.read(1):
            return Probe(error="is empty (0 bytes)")
    capture = cv2.VideoCapture(os.path.abspath(path), cv2.CAP_FFMPEG, [cv2.CAP_PROP_N_THREADS, 1])
    try:
        if not capture.isOpened():
            return Probe(error="no video in it that opens (cut off, no video stream, or no video)")
        declared = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        rate = capture.get(cv2.CAP_PROP_FPS)
        frames, last = 0, 0.0
        while capture.grab():
            if frames == 0 and not capture.retrieve()[0]:
                return Probe(error="its first frame decodes to no picture")
            frames += 1
            last = capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if not 0 < declared < 2**31:  # some .webm files do not tell
            return Probe(frames, 0, 1.0)
        return Probe(frames, int(declared), decoded_share(frames, last, rate, int(declared)))
    finally:
        capture.release()


def decoded_share(frames: int, last: float, rate: float, declared: int) -> float:
    """Which part of a video's declared length decodes.

    With a variable rate the declared number of frames is an estimate from the length, so the
    time reached counts; but some .avi files have no usable times, so the number of frames
    does as well, and the better of the two is taken.

    Args:
        frames (int): Frames that decode.
        last (float): Time of the last of them, in seconds.
        rate (float): Declared frames per second; not finite where it is not known.
        declared (int): Declared number of frames.

    Returns:
        float: In [0, 1]; up to :data:`FRAME_SLACK` frames are forgiven.
    """
    if frames == 0:
        return 0.0
    reached = last * rate + 1 if math.isfinite(rate) else 0.0
    return round(min((max(frames, reached) + FRAME_SLACK) / declared, 1.0), 4)


def fault(probe: Probe, min_frames: int, min_share: float) -> str | None:
    """Say what is wrong with a video.

    Args:
        probe (Probe): What decoding it gave.
        min_frames (int): Frames that a usable video has at least.
        min_share (float): Part of the declared length that has to decode.

    Returns:
        str | None: The reason to leave it out, or None if it is usable.
    """
    if probe.error:
        return probe.error
    if probe.frames == 0:
        return "opens, but no frame decodes"
    if probe.share < min_share:
        return f"breaks off: {probe.frames} of {probe.declared_frames} frames decode"
    if probe.frames < min_frames:
        return f"too short: {probe.frames} of the {min_frames} frames asked for"
    return None
