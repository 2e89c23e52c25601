"""Optical flow as a second view of a clip (METHOD "Training sample")."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from mmaction.registry import TRANSFORMS

from ..flow import (
    build_estimator,
    check_template,
    flow_levels,
    forward_images,
    read_flow,
    read_rawframes,
    relative_name,
    stored_path,
)
from .clip_draws import FLOW
from .flow_second_view import REPLACEABLE, SecondModality

ON_THE_FLY = ("dis", "farneback")
SOURCES = ("files", "rawframes", *ON_THE_FLY)


@TRANSFORMS.register_module()
class FlowView(SecondModality):
    """Show some views as the horizontal component of optical flow.

    It comes right after decoding, so flow goes through the same crop and flip as RGB. The
    image of frame i is the motion from frame i to i + 1, whatever the clip's
    ``frame_interval``; 128 is no motion, brighter is to the right (docs/flow.md).

    Computed on the fly (``'dis'``, ``'farneback'``), flow is what leads to the clip's next
    frame, so with a ``frame_interval`` of k it is about k times as large, and the clip's
    last image is repeated.

    Args:
        source (str): ``'files'`` of ``tools/data/extract_flow.py``; ``'rawframes'`` of
            MMAction2 (``flow_x_00001.jpg``); or, without preparation, ``'dis'`` or
            ``'farneback'``.
        prob (float): Probability for each clip. Defaults to 0.25, the paper's.
        views (Sequence[str]): Which clips, see :class:`SecondModality`.
        root (str, optional): Folder of flow files, or of the videos' folders of flow
            frames. Without it flow frames are looked for in ``frame_dir``.
        video_root (str): Folder that the videos' names below ``root`` are relative to: the
            dataset's ``data_prefix``.
        bound (float): Clipping displacement of flow on the fly, in pixels of a 240-pixel
            frame, see :func:`slic_mmaction.flow.flow_levels`. Files have theirs inside.
        short_side (int): Short side in pixels that frames are scaled to (never up) for
            flow on the fly.
        filename_tmpl (str): Name of a raw flow frame.

    Raises:
        ValueError: If an argument is out of range; for a sample, if there is no folder
            ``root`` or the video is not below ``video_root``.
        OSError: For a sample, if its flow was not extracted or is damaged.
    """

    modality = FLOW

    def __init__(
        self,
        source: str = "files",
        prob: float = 0.25,
        views: Sequence[str] = REPLACEABLE,
        root: str | None = None,
        video_root: str = "",
        bound: float = 20,
        short_side: int = 128,
        filename_tmpl: str = "flow_{}_{:05}.jpg",
    ) -> None:
        super().__init__(prob, views)
        if source not in SOURCES:
            raise ValueError(f"FlowView needs a source of {SOURCES}, but got {source!r}.")
        if source == "files" and root is None:
            raise ValueError("FlowView(source='files') needs root, the folder of the flow files.")
        if bound <= 0 or short_side < 1:
            raise ValueError(
                f"FlowView needs bound and short_side above 0, but got {bound} and {short_side}."
            )
        check_template(filename_tmpl)
        self.source = source
        self.root = root
        self.video_root = video_root
        self.bound = bound
        self.short_side = short_side
        self.filename_tmpl = filename_tmpl

    def images(self, results: dict, clip: slice) -> list[np.ndarray]:
        """The clip's flow, read or computed."""
        if self.source in ON_THE_FLY:
            return self._computed(results["imgs"][clip], results["frame_inds"][clip])
        first = results.get("start_index", 0) - results.get("offset", 0)
        frames = (np.asarray(results["frame_inds"][clip]) - first).tolist()
        if self.source == "files":
            return self._stored(self._name(results), frames)
        folder = results["frame_dir"] if self.root is None else Path(self.root, self._name(results))
        total = results["total_frames"] + results.get("offset", 0)
        return read_rawframes(Path(folder), frames, total, self.filename_tmpl)

    def _name(self, results: dict) -> str:
        video = results.get("frame_dir") or os.path.splitext(results["filename"])[0]
        return relative_name(video, self.video_root)

    def _stored(self, name: str, frames: Sequence[int]) -> list[np.ndarray]:
        path = stored_path(str(self.root), name)
        try:
            return read_flow(path, frames)
        except FileNotFoundError as error:
            # One missing file is one bad video to ClusterAwareDataset; all missing are not.
            kind = FileNotFoundError if os.path.isdir(str(self.root)) else ValueError
            raise kind(
                f"There is no flow file {path}: make it with `python tools/data/extract_flow.py "
                f"{self.video_root or os.curdir} --out {self.root}`, or use "
                "FlowView(source='dis'), which needs no files."
            ) from error

    def _computed(self, frames: Sequence[np.ndarray], numbers: Sequence[int]) -> list[np.ndarray]:
        estimate = build_estimator(self.source)
        factor = min(self.short_side / min(frames[0].shape[:2]), 1.0)
        gray = [
            cv2.resize(
                cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY),
                None,
                fx=factor,
                fy=factor,
                interpolation=cv2.INTER_AREA,
            )
            for frame in frames
        ]
        return forward_images(
            gray, numbers, lambda a, b: flow_levels(estimate(a, b)[..., 0], self.bound)
        )
