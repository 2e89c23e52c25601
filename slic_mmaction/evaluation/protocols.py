"""The named protocols: which clips of a video, seen how, make its embedding.

Numbers of different protocols must not be compared, so every result names its own. The name is
made here, once: :class:`SampleProtocolClips` puts it on the data sample, stored features keep it,
and :func:`full_name` adds what only the network and the frames tell.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import torch
from mmaction.registry import TRANSFORMS
from torch import Tensor

from ..nearest import Array
from ..transforms.view_frames import ShownTransform, clip_frames, frames_of, with_clips

CLIP_LEN, FRAME_INTERVAL, CROP_SIZE = 16, 1, 128
"""Frames of a clip, their distance, and the side of the centre crop: the same in all protocols."""


@dataclass(frozen=True)
class RetrievalProtocol:
    """How a video becomes one embedding: the plain mean of its clips' embeddings.

    The clips are not L2-normalised before the mean (checked against the authors' results);
    neighbours are then the nearest by cosine.

    Attributes:
        name: By which configs and results know it.
        num_clips: Clips of each video; None where it follows from the video's length.
        placement: Where they lie: ``'even'``, over the whole video, ``'center'``, or
            ``'windows'``, one after the other.
        feature: Of the network: ``'projection'``, the head's output, or ``'backbone'``, the
            pooled feature.
        centered: Whether queries and gallery are centred first, each by its own mean.
    """

    name: str
    num_clips: int | None
    placement: str
    feature: str
    centered: bool

    def prepared(self, embeddings: Array) -> Tensor:
        """All queries or all of the gallery (N, D) as they are compared by cosine."""
        rows = torch.as_tensor(embeddings)
        if not self.centered:
            return rows
        rows = rows.double()
        return rows - rows.mean(dim=0, keepdim=True)


_ALL = (
    # The paper's headline numbers, with the clips of IIC (Tao et al., ACM MM 2020).
    RetrievalProtocol("iic", 10, "even", "projection", centered=False),
    # After CoCLR (Han et al., NeurIPS 2020); docs/evaluation.md says what its released code does
    # otherwise.
    RetrievalProtocol("coclr", None, "windows", "backbone", centered=True),
    # Ten times cheaper, to watch a training: the clip that is also clustered.
    RetrievalProtocol("center", 1, "center", "projection", centered=False),
)
PROTOCOLS = MappingProxyType({protocol.name: protocol for protocol in _ALL})


def get_protocol(name: str) -> RetrievalProtocol:
    """Look up a protocol by its name or one under which results appear (``'iic, 4 clips'``).

    Raises:
        ValueError: If there is none of that name.
    """
    key = name.split(",")[0]
    if key not in PROTOCOLS:
        raise ValueError(
            f"Unknown retrieval protocol {key!r}; known are {', '.join(sorted(PROTOCOLS))}."
        )
    return PROTOCOLS[key]


def full_name(protocol: str, feature: str, frame_size: tuple[int, int] | None) -> str:
    """Name of what an evaluation measured, with everything that is not the protocol's.

    Given the name that :class:`SampleProtocolClips` put on the samples, the network's feature
    and the (height, width) of the frames, for example ``'iic, 4 clips, backbone feature, 56px'``.
    """
    words = [protocol]
    if feature != get_protocol(protocol).feature:
        words.append(f"{feature} feature")
    if frame_size is not None and frame_size != (CROP_SIZE, CROP_SIZE):
        height, width = frame_size
        words.append(f"{width}px" if height == width else f"{width}x{height}px")
    return ", ".join(words)


def name_in_keys(name: str) -> str:
    """A protocol's full name as part of a result's key: without spaces and commas."""
    return name.replace(", ", "_").replace(" ", "-")


@TRANSFORMS.register_module()
class SampleProtocolClips(ShownTransform):
    """Sample the clips of a named retrieval protocol.

    It decides on frames only: the resizing and the crop of the protocol are stock
    transforms in the config. ``results['protocol']`` is the name under which results
    appear; let ``PackActionInputs(meta_keys=('protocol',))`` pass it on. Where the
    arguments depart from the protocol the name says so (``'iic, 4 clips'``). A video shorter
    than a clip is looped.

    Required Keys:

    - total_frames
    - start_index

    Added Keys: frame_inds (num_clips * clip_len,), clip_len, frame_interval, num_clips,
    protocol.

    Args:
        protocol: A name of ``slic_mmaction.evaluation.PROTOCOLS``.
        clip_len: Frames of a clip; by default the protocols'.
        frame_interval: Distance between frames; by default the protocols'.
        num_clips: Number of clips, for a cheaper look; by default the protocol's. Protocol
            ``coclr`` takes all: videos then differ in their number of clips, which only
            :class:`FeatureTestLoop` can batch.

    Raises:
        ValueError: If the protocol is unknown, an argument is below 1, num_clips does not go
            with the protocol, or a video has no frame.
    """

    def __init__(
        self,
        protocol: str = "iic",
        clip_len: int = CLIP_LEN,
        frame_interval: int = FRAME_INTERVAL,
        num_clips: int | None = None,
    ) -> None:
        rule = self.protocol = get_protocol(protocol)
        if min(clip_len, frame_interval, 1 if num_clips is None else num_clips) < 1:
            raise ValueError(
                "SampleProtocolClips needs clip_len, frame_interval and num_clips of at least 1, "
                f"but got {clip_len}, {frame_interval} and {num_clips}."
            )
        if rule.placement == "windows" and num_clips is not None:
            raise ValueError(
                f"Protocol {protocol!r} takes all clips of a video, but num_clips is "
                f"{num_clips}; use protocol 'iic' for fewer."
            )
        if rule.placement == "center" and num_clips not in (None, 1):
            raise ValueError(
                f"Protocol {protocol!r} has one clip, in the centre, but num_clips is "
                f"{num_clips}; use protocol 'iic' for several."
            )
        self.clip_len = clip_len
        self.frame_interval = frame_interval
        self.num_clips = num_clips or rule.num_clips
        words = [rule.name]
        if self.num_clips != rule.num_clips:
            words.append(f"{self.num_clips} clips")
        if clip_len != CLIP_LEN:
            words.append(f"{clip_len} frames")
        if frame_interval != FRAME_INTERVAL:
            words.append(f"interval {frame_interval}")
        self.name = ", ".join(words)

    def transform(self, results: dict) -> dict:
        """Add the frame numbers of all clips, one after the other."""
        num_frames = frames_of(results)
        clips = [
            clip_frames(start, self.clip_len, self.frame_interval, num_frames)
            for start in self._starts(num_frames)
        ]
        results["protocol"] = self.name
        return with_clips(results, clips, self.frame_interval)

    def _starts(self, num_frames: int) -> list[int]:
        """First frames of the clips; negative ones count from the end, which loops a video."""
        span = self.clip_len * self.frame_interval
        if self.protocol.placement == "center":
            return [max(num_frames - span, 0) // 2]
        if self.num_clips is None:
            # As in the authors' CoCLR-style split, a window that would end with the very last
            # frame is left out. (A video of exactly one window's length has 15 frames there, a
            # shorter one repeats its first frame; here both are one clip.)
            return list(range(0, max(num_frames - span, 1), span))
        # Centres run evenly from half a span to half a span before the end; a start is half a
        # span before, cut to an integer towards zero. (For HMDB51 the authors take the absolute
        # value of negative starts, which gives other frames of videos shorter than a clip.)
        centres = np.linspace(span / 2, num_frames - span / 2, self.num_clips)
        return np.trunc(centres - span / 2).astype(int).tolist()
