"""Opening the video of a sample, and decoding its frames."""

from __future__ import annotations

import numpy as np
from mmaction.registry import TRANSFORMS

from ..decoding import FrameFolder, VideoReader, choose_decoder, open_reader
from .view_frames import ShownTransform


@TRANSFORMS.register_module()
class OpenVideo(ShownTransform):
    """Open a video, instead of ``DecordInit`` and its like; see docs/decoding.md.

    Any sampling transform may follow, and then :class:`DecodeFrames`.

    Required Keys:

    - filename, or of ``RawframeDataset``: frame_dir, total_frames, filename_tmpl, start_index
      and, optionally, offset

    Added Keys:

    - video_reader (VideoReader)
    - total_frames (int)
    - avg_fps (float)

    Args:
        decoder: ``'pyav'``, ``'decord'``, ``'auto'`` (PyAV, or decord where that is too
            old) or ``'rawframes'`` (images ``img_00001.jpg``... in a folder named as the video
            without its suffix). Samples of a ``RawframeDataset`` are raw frames, whatever is
            set.
        num_threads: Decoding threads. More than one helps only where loader workers are fewer
            than cores.
        backend_args: Where files are, for ``mmengine.fileio``; None is a local disk.

    Raises:
        ValueError: If there is no such decoder, or num_threads is below 1.
        ImportError: If the decoder is not installed.
        UnreadableVideoError: If a video is missing or has no frames.
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
        """Open the sample's video; a sample that is an ``array`` of frames has none."""
        if "array" in results:
            return results
        results["video_reader"] = reader = self.open(results)
        results["total_frames"] = reader.num_frames
        results["avg_fps"] = reader.avg_fps
        return results

    def open(self, results: dict) -> VideoReader:
        """Open the video that a sample names."""
        if "frame_dir" in results:
            if results.get("modality", "RGB") != "RGB":
                raise ValueError(
                    f"OpenVideo reads RGB frames, but the dataset's modality is "
                    f"{results['modality']!r}; use RawFrameDecode for that."
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
    """Decode what a sampler chose, instead of ``DecordDecode`` and its like.

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
