"""Decoding the frames of a sample."""

from __future__ import annotations

import numpy as np
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform


@TRANSFORMS.register_module()
class DecodeFrames(BaseTransform):
    """Decode what a sampler chose, in the place of ``DecordDecode`` and its like.

    Each frame is decoded once, in one forward pass, however many clips show it: clips that
    overlap share the array. Frames are therefore read-only. (Of the stock transforms only
    ``Flip`` writes into its input; it must come after a resize.)

    Required Keys:

    - video_reader (VideoReader): From :class:`OpenVideo`.
    - frame_inds (np.ndarray): (num_clips * clip_len,) integers, counted from start_index.
    - start_index

    Added Keys:

    - imgs (list[np.ndarray]): (H, W, 3) uint8, RGB, in the order of ``frame_inds``.
    - original_shape, img_shape (tuple[int, int]): H and W.
    - lost_frames (int): Frames that the file promises but does not hold, where there are
      any; such a video is looped (see :meth:`VideoReader.frames`).

    Modified Keys: video_reader (None), total_frames, frame_inds (made flat).

    Raises:
        UnreadableVideoError: If no frame can be decoded.
    """

    def transform(self, results: dict) -> dict:
        """Decode the sample's frames and close its video."""
        reader = results["video_reader"]
        results["video_reader"] = None
        results["frame_inds"] = np.ravel(results["frame_inds"])
        try:
            imgs = reader.frames(results["frame_inds"] - results["start_index"])
        finally:
            reader.close()
        if reader.num_frames < reader.promised_frames:
            results["lost_frames"] = reader.promised_frames - reader.num_frames
            results["total_frames"] = reader.num_frames
        results["imgs"] = imgs
        results["original_shape"] = results["img_shape"] = imgs[0].shape[:2]
        return results

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"
