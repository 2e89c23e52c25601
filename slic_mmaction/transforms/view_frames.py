"""Sampling the frames of the views of a SLIC training sample."""

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
"""Speed of a fast positive, which skips every other frame."""


def positive_start_range(num_frames: int, span: int, speed: int = 1) -> tuple[int, int]:
    """Return the first and last 0-based frame at which a positive clip may start, inclusive.

    If the video is long enough, a positive does not overlap the anchor (the first ``span``
    frames): its start is uniform in ``[min(L - span, span), L - span]``, as in the authors' code.
    A video no longer than a clip has only the start 0. A positive spans ``speed`` times as many
    frames.
    """
    last = max(num_frames - speed * span, 0)
    return min(last, span), last


def clip_frames(start: int, clip_len: int, frame_interval: int, num_frames: int) -> np.ndarray:
    """Return the 0-based frame numbers (clip_len,) of a clip, looping a shorter video."""
    return (start + np.arange(clip_len) * frame_interval) % num_frames


def frames_of(results: dict) -> int:
    """Return the number of frames of a sample's video; raise a ValueError if it has none."""
    if results["total_frames"] < 1:
        name = results.get("filename", results.get("frame_dir"))
        raise ValueError(f"The video {name} has no frames: remove it from the annotation file.")
    return results["total_frames"]


def with_clips(results: dict, clips: Sequence[np.ndarray], frame_interval: int) -> dict:
    """Add the 0-based frame numbers of equally long clips to a sample."""
    results["frame_inds"] = np.concatenate(clips).astype(np.int32) + results["start_index"]
    results["clip_len"] = len(clips[0])
    results["frame_interval"] = frame_interval
    results["num_clips"] = len(clips)
    return results


class ShownTransform(BaseTransform):
    """Base class of transforms whose ``repr`` shows their settings."""

    def __repr__(self) -> str:
        public = {key: value for key, value in vars(self).items() if not key.startswith("_")}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in public.items())})"


@TRANSFORMS.register_module()
class SampleViewFrames(ShownTransform):
    """Sample one clip for each view of a :class:`ClusterAwareDataset` sample (SLIC, section 3).

    An anchor is the beginning of the video. A positive has a random start (see
    :func:`positive_start_range`). Two views are for further losses (docs/ablations.md): a fast
    positive is another random clip at double speed, and a shuffled anchor has the anchor's frames
    in random order, which :class:`DecodeFrames` does not decode again.

    Required Keys:

    - total_frames
    - start_index
    - views (Sequence[str]): ``'anchor'``, ``'positive'``, ``'fast_positive'`` or
      ``'shuffled_anchor'``, one for each clip.

    Added Keys: frame_inds (V * clip_len,), clip_len, frame_interval, num_clips.

    Args:
        clip_len: Number of frames of a clip; by default the paper's.
        frame_interval: Distance between the frames of a clip.

    Raises:
        ValueError: If an argument is less than 1, a video has no frame, or a view is unknown.

    Examples:
        >>> from mmaction.registry import TRANSFORMS
        >>> sample = TRANSFORMS.build(dict(type="SampleViewFrames", clip_len=4))
        >>> results = sample(dict(total_frames=8, start_index=0, views=["anchor", "positive"]))
        >>> results["frame_inds"].reshape(2, 4)  # in 8 frames, the positive has one possible start
        array([[0, 1, 2, 3],
               [4, 5, 6, 7]], dtype=int32)
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
        """Sample the 0-based frame numbers of one view."""
        if view in (ANCHOR, SHUFFLED_ANCHOR):
            frames = clip_frames(0, self.clip_len, self.frame_interval, num_frames)
            return frames if view == ANCHOR else np.random.permutation(frames)
        if view in (POSITIVE, FAST_POSITIVE):
            speed = FAST if view == FAST_POSITIVE else 1
            low, high = positive_start_range(num_frames, self.clip_len * self.frame_interval, speed)
            start = int(np.random.randint(low, high + 1))
            return clip_frames(start, self.clip_len, self.frame_interval * speed, num_frames)
        raise ValueError(
            f"Unknown view {view!r}: choose from {ANCHOR!r}, {POSITIVE!r}, {FAST_POSITIVE!r} and "
            f"{SHUFFLED_ANCHOR!r}."
        )
