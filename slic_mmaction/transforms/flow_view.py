"""Second modalities: replacing some views of a sample by optical flow or frame differences."""

from __future__ import annotations

import os
from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar

import cv2
import numpy as np
from mmaction.registry import TRANSFORMS

from ..flow.estimate import build_estimator
from ..flow.images import flow_levels, forward_images, to_levels
from ..flow.store import check_template, read_flow, read_rawframes, relative_name, stored_path
from .clip_draws import FLOW, RGB
from .view_frames import ANCHOR, ShownTransform

SECOND_ANCHOR = "second_anchor"
REPLACEABLE = ("positive", SECOND_ANCHOR)
ON_THE_FLY = ("dis", "farneback")
SHORT_SIDE = 128
"""Pixels to which the short side of frames is scaled (never up) for flow on the fly."""
SOURCES = ("files", "rawframes", *ON_THE_FLY)


class SecondModality(ShownTransform):
    """Base class of transforms that replace random clips by another modality.

    The first anchor always stays RGB, because the other views are compared with it.

    Required Keys:

    - imgs (Sequence of (H, W, 3) uint8 frames, clip after clip)
    - clip_len
    - frame_inds
    - views (Sequence[str], optional): One for each clip, from :class:`ClusterAwareDataset`.
      Without it, as in pipelines for embedding and evaluation, every clip may be replaced.
    - modalities (Sequence[str], optional): One for each clip; by default all ``'rgb'``. A clip
      that is not RGB is not replaced.

    Modified Keys: imgs, modalities. Augmentations use the latter: clips that are not RGB are
    cropped and flipped, but their colours are not changed.

    Args:
        prob: Probability to replace a clip; by default the paper's.
        views: Views that may be replaced: ``'positive'`` and ``'second_anchor'``.

    Raises:
        ValueError: If an argument is out of range.
    """

    modality: ClassVar[str]

    def __init__(self, prob: float = 0.25, views: Sequence[str] = REPLACEABLE) -> None:
        if not 0 <= prob <= 1:
            raise ValueError(f"{type(self).__name__} needs prob in 0..1, but got {prob}.")
        if not views or not set(views) <= set(REPLACEABLE):
            raise ValueError(
                f"{type(self).__name__} can replace the views {REPLACEABLE}, but got {views}."
            )
        self.prob = prob
        self.views = tuple(views)

    @abstractmethod
    def images(self, results: dict, clip: slice) -> Sequence[np.ndarray]:
        """Make an (h, w) uint8 image of any size for each frame of ``clip``."""

    def transform(self, results: dict) -> dict:
        """Replace each allowed clip with probability ``prob``."""
        frames, clip_len = list(results["imgs"]), results["clip_len"]
        views = list(results.get("views", [self.views[0]] * (len(frames) // clip_len)))
        if views.count(ANCHOR) > 1:  # give the second anchor its own name
            views[views.index(ANCHOR, views.index(ANCHOR) + 1)] = SECOND_ANCHOR
        modalities = list(results.get("modalities", [RGB] * len(views)))
        for number, view in enumerate(views):
            if view not in self.views or np.random.random() >= self.prob:
                continue
            if modalities[number] != RGB:
                continue
            clip = slice(number * clip_len, (number + 1) * clip_len)
            height, width = frames[clip.start].shape[:2]
            frames[clip] = [_as_rgb(i, (width, height)) for i in self.images(results, clip)]
            modalities[number] = self.modality
        results["imgs"] = frames
        results["modalities"] = modalities
        return results


def _as_rgb(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize a grey image to ``(width, height)`` and repeat it to three channels."""
    if image.shape[::-1] != size:
        shrinks = image.shape[1] > size[0]
        image = cv2.resize(
            image, size, interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
        )
    return cv2.cvtColor(image, cv2.COLOR_GRAY2RGB)


@TRANSFORMS.register_module()
class FrameDifference(SecondModality):
    """Replace some views by the signed difference of consecutive grey frames.

    This is a cheap substitute for :class:`FlowView`. It shows motion without its direction, so a
    flip does not negate it. A difference d of luma becomes the level ``round((d + 255) / 2)``. The
    last frame of a clip repeats the previous difference.

    Args:
        prob: Probability to replace a clip.
        views: Views that may be replaced, ``'positive'`` and ``'second_anchor'``.

    Raises:
        ValueError: If an argument is out of range.

    Examples:
        >>> from mmaction.registry import TRANSFORMS
        >>> difference = TRANSFORMS.build(dict(type="FrameDifference", prob=1))
        >>> frames = list(np.zeros((4, 32, 40, 3), np.uint8))
        >>> results = difference(dict(imgs=frames, clip_len=4, frame_inds=np.arange(4)))
        >>> results["modalities"], results["imgs"][0][0, 0]  # 128 is no change
        (['difference'], array([128, 128, 128], dtype=uint8))
    """

    modality = "difference"

    def images(self, results: dict, clip: slice) -> list[np.ndarray]:
        """Compute the differences within the clip."""
        gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in results["imgs"][clip]]
        return forward_images(
            gray,
            results["frame_inds"][clip],
            lambda a, b: to_levels(cv2.subtract(b, a, dtype=cv2.CV_16S), 255),
        )


@TRANSFORMS.register_module()
class FlowView(SecondModality):
    """Replace some views by the horizontal component of optical flow (SLIC, section 3).

    The transform follows decoding, so that flow gets the same crop and flip as RGB. The image of
    frame i is the motion from frame i to i + 1, whatever the clip's ``frame_interval``. The level
    128 is no motion, and brighter levels are motion to the right (docs/flow.md).

    Flow on the fly (``'dis'``, ``'farneback'``) is computed on frames with a short side of at most
    128 pixels. It is the motion to the clip's next frame, so with a ``frame_interval`` of k it is
    about k times as large. The clip's last image is repeated.

    Args:
        source: ``'files'`` of ``tools/data/extract_flow.py``, ``'rawframes'`` of MMAction2
            (``flow_x_00001.jpg``), or ``'dis'`` or ``'farneback'`` to compute flow on the fly.
        prob: Probability to replace a clip; by default the paper's.
        views: Views that may be replaced, ``'positive'`` and ``'second_anchor'``.
        root: Folder of the flow files, or of the folders of raw flow frames. By default raw flow
            frames are in ``frame_dir``.
        video_root: Folder to which the videos' names in ``root`` are relative, the dataset's
            ``data_prefix``.
        filename_tmpl: Template for the name of a raw flow frame.

    Raises:
        ValueError: If an argument is out of range or, for a sample, the folder ``root`` does not
            exist or the video is not in ``video_root``.
        OSError: For a sample, if its flow was not extracted or is damaged.

    Examples:
        >>> from mmaction.registry import TRANSFORMS
        >>> flow = TRANSFORMS.build(dict(type="FlowView", source="dis", prob=1))
        >>> frames = list(np.zeros((4, 32, 40, 3), np.uint8))
        >>> results = flow(dict(imgs=frames, clip_len=4, frame_inds=np.arange(4)))
        >>> results["modalities"], results["imgs"][0][0, 0]  # 128 is no motion
        (['flow'], array([128, 128, 128], dtype=uint8))
    """

    modality = FLOW

    def __init__(
        self,
        source: str = "files",
        prob: float = 0.25,
        views: Sequence[str] = REPLACEABLE,
        root: str | None = None,
        video_root: str = "",
        filename_tmpl: str = "flow_{}_{:05}.jpg",
    ) -> None:
        super().__init__(prob, views)
        if source not in SOURCES:
            raise ValueError(f"FlowView needs a source of {SOURCES}, but got {source!r}.")
        if source == "files" and root is None:
            raise ValueError("FlowView(source='files') needs root, the folder of the flow files.")
        check_template(filename_tmpl)
        self.source = source
        self.root = root
        self.video_root = video_root
        self.filename_tmpl = filename_tmpl

    def images(self, results: dict, clip: slice) -> list[np.ndarray]:
        """Read or compute the clip's flow."""
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
            # For ClusterAwareDataset a missing file is an unreadable video, but a missing folder
            # is an error.
            kind = FileNotFoundError if os.path.isdir(str(self.root)) else ValueError
            raise kind(
                f"There is no flow file {path}: extract it with `python tools/data/extract_flow.py "
                f"{self.video_root or os.curdir} --out {self.root}`, or use "
                "FlowView(source='dis'), which needs no files."
            ) from error

    def _computed(self, frames: Sequence[np.ndarray], numbers: Sequence[int]) -> list[np.ndarray]:
        estimate = build_estimator(self.source)
        factor = min(SHORT_SIDE / min(frames[0].shape[:2]), 1.0)
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
        return forward_images(gray, numbers, lambda a, b: flow_levels(estimate(a, b)[..., 0]))
