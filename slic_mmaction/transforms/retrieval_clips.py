"""Which frames of a video a retrieval protocol looks at."""

from __future__ import annotations

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from ..evaluation.protocols import get_protocol
from .view_frames import clip_frames


def evenly_spaced_starts(num_frames: int, span: int = 16, num_clips: int = 10) -> np.ndarray:
    """First frames of clips that lie evenly over a video (protocol ``iic``).

    The clips' centres run evenly from ``span / 2`` to ``L - span / 2``; a start is half a
    span before, cut to an integer towards zero. For a video shorter than a clip starts
    are negative: counted modulo L, they loop the video. (The authors take the absolute
    value for HMDB51, which gives other frames of such videos only.)

    Args:
        num_frames (int): Number of frames ``L``.
        span (int): Frames that a clip stretches over. Defaults to 16.
        num_clips (int): Number of clips. Defaults to 10.

    Returns:
        np.ndarray: (num_clips,) int64, 0-based.
    """
    centres = np.linspace(span / 2, num_frames - span / 2, num_clips)
    return np.trunc(centres - span / 2).astype(np.int64)


def window_starts(num_frames: int, span: int = 16) -> np.ndarray:
    """First frames of clips that lie one after the other (protocol ``coclr``).

    As in the authors' CoCLR-style split, a window that would end with the very last frame is
    left out. (A video of exactly one window's length has 15 frames there, a shorter one repeats
    its first frame; here both are one clip, looped where it is short.)

    Args:
        num_frames (int): Number of frames.
        span (int): Frames that a clip stretches over. Defaults to 16.

    Returns:
        np.ndarray: (num_clips,) int64, 0-based, at least one.
    """
    return np.arange(0, max(num_frames - span, 1), span, dtype=np.int64)


def center_start(num_frames: int, span: int = 16) -> int:
    """First frame of the clip in the middle (protocol ``center``).

    A video shorter than the clip starts at its beginning, and is looped.

    Args:
        num_frames (int): Number of frames.
        span (int): Frames that the clip stretches over. Defaults to 16.

    Returns:
        int: 0-based.
    """
    return max(num_frames - span, 0) // 2


@TRANSFORMS.register_module()
class SampleProtocolClips(BaseTransform):
    """Sample the clips of a named retrieval protocol.

    It decides on frames only: the resizing and the crop of the protocol are stock
    transforms in the config. ``results['protocol']`` is the name under which results
    appear; let ``PackActionInputs(meta_keys=('protocol',))`` pass it on. Where the
    arguments depart from the protocol the name says so (``'iic, 4 clips'``).

    Required Keys:

    - total_frames
    - start_index

    Added Keys: frame_inds (num_clips * clip_len,), clip_len, frame_interval, num_clips,
    protocol.

    Args:
        protocol (str): Name of the protocol, see ``slic_mmaction.evaluation.PROTOCOLS``.
            Defaults to ``'iic'``.
        clip_len (int, optional): Frames of a clip. Defaults to the protocol's.
        frame_interval (int, optional): Distance between frames. Defaults to the
            protocol's.
        num_clips (int, optional): Number of clips, for a cheaper look. Defaults to the
            protocol's. Protocol ``coclr`` takes all: videos then differ in their number of
            clips, which only :class:`FeatureTestLoop` can batch.

    Raises:
        ValueError: If the protocol is unknown, an argument is below 1, num_clips does not go
            with the protocol, or a video has no frame.
    """

    def __init__(
        self,
        protocol: str = "iic",
        clip_len: int | None = None,
        frame_interval: int | None = None,
        num_clips: int | None = None,
    ) -> None:
        self.protocol = get_protocol(protocol)
        self.clip_len = self.protocol.clip_len if clip_len is None else clip_len
        self.frame_interval = (
            self.protocol.frame_interval if frame_interval is None else frame_interval
        )
        self.num_clips = self.protocol.num_clips if num_clips is None else num_clips
        if any(n is not None and n < 1 for n in (clip_len, frame_interval, num_clips)):
            raise ValueError(
                "SampleProtocolClips needs clip_len, frame_interval and num_clips of at least 1, "
                f"but got {clip_len}, {frame_interval} and {num_clips}."
            )
        if self.protocol.placement == "windows" and num_clips is not None:
            raise ValueError(
                f"Protocol {protocol!r} takes all clips of a video, but num_clips is "
                f"{num_clips}; use protocol 'iic' for fewer."
            )
        if self.protocol.placement == "center" and self.num_clips != 1:
            raise ValueError(
                f"Protocol {protocol!r} has one clip, in the centre, but num_clips is "
                f"{num_clips}; use protocol 'iic' for several."
            )

    def transform(self, results: dict) -> dict:
        """Add the frame numbers of all clips, one after the other."""
        num_frames = results["total_frames"]
        if num_frames < 1:
            name = results.get("filename", results.get("frame_dir"))
            raise ValueError(f"The video {name} has no frames; remove it from the annotation file.")
        starts = self._starts(num_frames)
        clips = [
            clip_frames(start, self.clip_len, self.frame_interval, num_frames) for start in starts
        ]
        results["frame_inds"] = np.concatenate(clips).astype(np.int32) + results["start_index"]
        results["clip_len"] = self.clip_len
        results["frame_interval"] = self.frame_interval
        results["num_clips"] = len(starts)
        results["protocol"] = self.protocol.described(
            self.num_clips, self.clip_len, self.frame_interval
        )
        return results

    def _starts(self, num_frames: int) -> list[int]:
        span = self.clip_len * self.frame_interval
        if self.protocol.placement == "center":
            return [center_start(num_frames, span)]
        if self.num_clips is None:
            return window_starts(num_frames, span).tolist()
        return evenly_spaced_starts(num_frames, span, self.num_clips).tolist()

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(protocol={self.protocol.name!r}, clip_len={self.clip_len}, "
            f"frame_interval={self.frame_interval}, num_clips={self.num_clips})"
        )
