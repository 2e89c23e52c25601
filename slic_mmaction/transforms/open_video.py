"""Transforms that open the video of a sample and decode its frames."""

from __future__ import annotations

import numpy as np
from mmaction.registry import TRANSFORMS

from ..decoding import FrameFolder, VideoReader, choose_decoder, open_reader
from .view_frames import ShownTransform


@TRANSFORMS.register_module()
class OpenVideo(ShownTransform):
    """Open a video, as ``DecordInit`` and similar transforms do; see docs/decoding.md.

    A sampling transform and :class:`DecodeFrames` follow.

    Required Keys:

    - filename, or from ``RawframeDataset``: frame_dir, total_frames, filename_tmpl, start_index
      and, optionally, offset

    Added Keys:

    - video_reader (VideoReader)
    - total_frames (int)
    - avg_fps (float)

    Args:
        decoder: ``'pyav'``, ``'decord'``, ``'auto'`` (PyAV, or decord if PyAV is too old) or
            ``'rawframes'`` (images ``img_00001.jpg``... in a folder with the video's name without
            its suffix). Samples of a ``RawframeDataset`` are always read as raw frames.
        num_threads: Number of decoding threads. More than one helps only if there are fewer
            loader workers than cores.
        backend_args: Storage backend for ``mmengine.fileio``; None is a local disk.

    Raises:
        ValueError: If the decoder is unknown, or num_threads is below 1.
        ImportError: If the decoder is not installed.
        UnreadableVideoError: If a video is missing or has no frames.

    Examples:
        >>> from mmaction.registry import TRANSFORMS
        >>> results = TRANSFORMS.build(dict(type="OpenVideo"))(dict(filename="videos/walk_1.mp4"))
        >>> results["total_frames"], results["avg_fps"]
        (50, 25.0)
    """

    def __init__(
        self, decoder: str = "auto", num_threads: int = 1, backend_args: dict | None = None
    ) -> None:
        if num_threads < 1:
            raise ValueError(f"OpenVideo needs num_threads of at least 1, but got {num_threads}.")
        choose_decoder(decoder)
        self.decoder = decoder
        self.num_threads = num_threads
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Open the sample's video, unless the sample is an ``array`` of frames."""
        if "array" in results:
            return results
        results["video_reader"] = reader = self.open(results)
        results["total_frames"] = reader.num_frames
        results["avg_fps"] = reader.avg_fps
        return results

    def open(self, results: dict) -> VideoReader:
        """Open a sample's video."""
        if "frame_dir" in results:
            if results.get("modality", "RGB") != "RGB":
                raise ValueError(
                    f"OpenVideo reads RGB frames, but the dataset's modality is "
                    f"{results['modality']!r}; use RawFrameDecode for it."
                )
            return FrameFolder(
                results["frame_dir"],
                results["filename_tmpl"],
                first=results["start_index"] + results.get("offset", 0),
                num_frames=results["total_frames"],
                backend_args=self.backend_args,
            )
        return open_reader(results["filename"], self.decoder, self.num_threads, self.backend_args)


@TRANSFORMS.register_module()
class DecodeFrames(ShownTransform):
    """Decode the sampled frames, as ``DecordDecode`` and similar transforms do.

    Each frame is decoded once in one pass through the video, and overlapping clips share its
    array. Frames are therefore read-only. (Of the stock transforms only ``Flip`` writes into its
    input, so it must follow a resize.)

    Required Keys:

    - video_reader (VideoReader): From :class:`OpenVideo`.
    - frame_inds (np.ndarray): (num_clips * clip_len,) integers, counted from start_index.
    - start_index

    Added Keys:

    - imgs (list[np.ndarray]): (H, W, 3) uint8, RGB, in the order of ``frame_inds``.
    - original_shape, img_shape (tuple[int, int]): H and W.
    - lost_frames (int): Number of frames that the header promises but the file does not have, if
      any. Such a video is looped (see :meth:`VideoReader.frames`).

    Modified Keys: video_reader (None), total_frames, frame_inds (flattened).

    Raises:
        UnreadableVideoError: If no frame can be decoded.

    Examples:
        >>> from mmengine.dataset import Compose
        >>> pipeline = ["OpenVideo", "SampleViewFrames", "DecodeFrames"]
        >>> pipeline = Compose([dict(type=transform) for transform in pipeline])
        >>> video = dict(filename="videos/walk_1.mp4", start_index=0, views=["anchor", "positive"])
        >>> imgs = pipeline(video)["imgs"]
        >>> len(imgs), imgs[0].shape  # two clips of 16 frames
        (32, (32, 40, 3))
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
