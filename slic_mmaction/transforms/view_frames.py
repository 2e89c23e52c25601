"""Which frames the views of a SLIC training sample show."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

ANCHOR = "anchor"
POSITIVE = "positive"
FAST_POSITIVE = "fast_positive"
SHUFFLED_ANCHOR = "shuffled_anchor"

FAST = 2
"""Speed of a fast positive: it skips every other frame of a clip."""


def positive_start_range(num_frames: int, span: int, speed: int = 1) -> tuple[int, int]:
    """First and last 0-based frame at which a positive clip may start, both inclusive.

    A positive starts at least one clip after the beginning, so that it does not overlap the
    anchor (the first ``span`` frames), wherever the video is long enough: uniform in
    ``[min(L - span, span), L - span]``, as the authors run it. A video no longer than a clip
    leaves one start, frame 0. A positive stretches over ``speed`` times as many frames.
    """
    last = max(num_frames - speed * span, 0)
    return min(last, span), last


def clip_frames(start: int, clip_len: int, frame_interval: int, num_frames: int) -> np.ndarray:
    """0-based frame numbers (clip_len,) of one clip; a video shorter than the clip is looped."""
    return (start + np.arange(clip_len) * frame_interval) % num_frames


def frames_of(results: dict) -> int:
    """Number of frames of a sample's video; a ValueError if it has none."""
    if results["total_frames"] < 1:
        name = results.get("filename", results.get("frame_dir"))
        raise ValueError(f"The video {name} has no frames; remove it from the annotation file.")
    return results["total_frames"]


def with_clips(results: dict, clips: Sequence[np.ndarray], frame_interval: int) -> dict:
    """Add the 0-based frame numbers of equally long clips to a sample."""
    results["frame_inds"] = np.concatenate(clips).astype(np.int32) + results["start_index"]
    results["clip_len"] = len(clips[0])
    results["frame_interval"] = frame_interval
    results["num_clips"] = len(clips)
    return results


class ShownTransform(BaseTransform):
    """A transform that prints its settings."""

    def __repr__(self) -> str:
        public = {key: value for key, value in vars(self).items() if not key.startswith("_")}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in public.items())})"


@TRANSFORMS.register_module()
class SampleViewFrames(ShownTransform):
    """Sample one clip for each view that :class:`ClusterAwareDataset` asks for.

    An anchor is the beginning of the video, a positive starts at random (see
    :func:`positive_start_range`). Two views are for further objectives (docs/ablations.md): a
    fast positive shows a stretch of its own at double speed, a shuffled anchor the anchor's
    frames in random order, which :class:`DecodeFrames` does not decode again.

    Required Keys:

    - total_frames
    - start_index
    - views (Sequence[str]): ``'anchor'``, ``'positive'``, ``'fast_positive'`` or
      ``'shuffled_anchor'``, one for each clip.

    Added Keys: frame_inds (V * clip_len,), clip_len, frame_interval, num_clips.

    Args:
        clip_len: Frames in a clip; the paper's by default.
        frame_interval: Distance between the frames.

    Raises:
        ValueError: If an argument is less than 1, a video has no frame, or a view has an
            unknown name.
    """

    def __init__(self, clip_len: int = 16, frame_interval: int = 1) -> None:
        if clip_len < 1 or frame_interval < 1:
            raise ValueError(
                f"SampleViewFrames needs clip_len and frame_interval of at least 1, "
                f"but got {clip_len} and {frame_interval}."
            )
        self.clip_len = clip_len
        self.frame_interval = frame_interval

    def transform(self, results: dict) -> dict:
        """Add the frame numbers of all views, one clip after the other."""
        num_frames = frames_of(results)
        clips = [self._frames(view, num_frames) for view in results["views"]]
        return with_clips(results, clips, self.frame_interval)

    def _frames(self, view: str, num_frames: int) -> np.ndarray:
        """0-based frame numbers of one view."""
        if view in (ANCHOR, SHUFFLED_ANCHOR):
            frames = clip_frames(0, self.clip_len, self.frame_interval, num_frames)
            return frames if view == ANCHOR else np.random.permutation(frames)
        if view in (POSITIVE, FAST_POSITIVE):
            speed = FAST if view == FAST_POSITIVE else 1
            low, high = positive_start_range(num_frames, self.clip_len * self.frame_interval, speed)
            start = int(np.random.randint(low, high + 1))
            return clip_frames(start, self.clip_len, self.frame_interval * speed, num_frames)
        raise ValueError(
            f"Unknown view {view!r}: views are {ANCHOR!r}, {POSITIVE!r}, {FAST_POSITIVE!r} and "
            f"{SHUFFLED_ANCHOR!r}."
        )
