"""The retrieval protocols: which clips of a video are embedded, and how.

Results of different protocols must not be compared, so every result has the name of its protocol.
:class:`SampleProtocolClips` adds the name to the data sample, stored features keep it, and
:func:`full_name` adds the network's feature and the frame size.
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
"""Frames of a clip, their distance, and side of the centre crop in pixels, of all protocols."""


@dataclass(frozen=True)
class RetrievalProtocol:
    """Protocol for the embedding of a video, which is the mean of its clips' embeddings.

    The clips are not L2-normalised before the mean (confirmed by the authors' results).
    Nearest neighbours are by cosine.

    Attributes:
        name: Name of the protocol in configs and results.
        num_clips: Number of clips of each video; None if it depends on the video's length.
        placement: Position of the clips: ``'even'`` (over the whole video), ``'center'``, or
            ``'windows'`` (one after the other).
        feature: Layer of the network: ``'projection'``, the head's output, or ``'backbone'``, the
            pooled feature.
        centered: Whether to centre queries and gallery first, each by its own mean.

    Examples:
        >>> from slic_mmaction.evaluation import PROTOCOLS
        >>> PROTOCOLS["iic"]
        RetrievalProtocol(name='iic', num_clips=10, placement='even', feature='projection',
         centered=False)
        >>> PROTOCOLS["coclr"].prepared(torch.tensor([[1.0, 5.0], [3.0, 5.0]]))  # centred
        tensor([[-1.,  0.],
                [ 1.,  0.]], dtype=torch.float64)
    """

    name: str
    num_clips: int | None
    placement: str
    feature: str
    centered: bool

    def prepared(self, embeddings: Array) -> Tensor:
        """Centre all queries, or the whole gallery, (N, D) if the protocol requires it."""
        rows = torch.as_tensor(embeddings)
        if not self.centered:
            return rows
        rows = rows.double()
        return rows - rows.mean(dim=0, keepdim=True)


_ALL = (
    # The paper's main results, with the clips of IIC (Tao et al., ACM MM 2020).
    RetrievalProtocol("iic", 10, "even", "projection", centered=False),
    # After CoCLR (Han et al., NeurIPS 2020); docs/evaluation.md lists the differences of its
    # released code.
    RetrievalProtocol("coclr", None, "windows", "backbone", centered=True),
    # Ten times cheaper, to monitor a training: the clip that is also clustered.
    RetrievalProtocol("center", 1, "center", "projection", centered=False),
)
PROTOCOLS = MappingProxyType({protocol.name: protocol for protocol in _ALL})


def get_protocol(name: str) -> RetrievalProtocol:
    """Look up a protocol by its name or a name in results such as ``'iic, 4 clips'``.

    Raises:
        ValueError: If the name is unknown.

    Examples:
        >>> from slic_mmaction.evaluation import get_protocol
        >>> get_protocol("iic, 4 clips").name
        'iic'
        >>> get_protocol("coclr").feature
        'backbone'
    """
    key = name.split(",")[0]
    if key not in PROTOCOLS:
        raise ValueError(
            f"Unknown retrieval protocol {key!r}: choose one of {', '.join(sorted(PROTOCOLS))}."
        )
    return PROTOCOLS[key]


def full_name(protocol: str, feature: str, frame_size: tuple[int, int] | None) -> str:
    """Add to a protocol's name what differs from the protocol.

    Given the name from :class:`SampleProtocolClips`, the network's feature and the (height, width)
    of the frames, returns a name such as ``'iic, 4 clips, backbone feature, 56px'``.
    """
    words = [protocol]
    if feature != get_protocol(protocol).feature:
        words.append(f"{feature} feature")
    if frame_size is not None and frame_size != (CROP_SIZE, CROP_SIZE):
        height, width = frame_size
        words.append(f"{width}px" if height == width else f"{width}x{height}px")
    return ", ".join(words)


def name_in_keys(name: str) -> str:
    """Convert a protocol's full name for a result's key, without spaces and commas."""
    return name.replace(", ", "_").replace(" ", "-")


@TRANSFORMS.register_module()
class SampleProtocolClips(ShownTransform):
    """Sample the clips of a named retrieval protocol.

    This transform chooses frames only. The resizing and the crop of the protocol are stock
    transforms in the config. ``results['protocol']`` is the name in results, which
    ``PackActionInputs(meta_keys=('protocol',))`` must keep. If the arguments differ from the
    protocol, the name says so (``'iic, 4 clips'``). A video shorter than a clip is looped.

    Required Keys:

    - total_frames
    - start_index

    Added Keys: frame_inds (num_clips * clip_len,), clip_len, frame_interval, num_clips,
    protocol.

    Args:
        protocol: A name of ``slic_mmaction.evaluation.PROTOCOLS``.
        clip_len: Number of frames of a clip.
        frame_interval: Distance between frames.
        num_clips: Number of clips, for a cheaper evaluation; by default the protocol's. Protocol
            ``coclr`` uses all clips. Its videos have different numbers of clips, which only
            :class:`FeatureTestLoop` can batch.

    Raises:
        ValueError: If the protocol is unknown, an argument is below 1, num_clips contradicts the
            protocol, or a video has no frame.

    Examples:
        >>> from mmaction.registry import TRANSFORMS
        >>> sample = TRANSFORMS.build(dict(type="SampleProtocolClips", num_clips=2, clip_len=4))
        >>> results = sample(dict(total_frames=100, start_index=0))
        >>> results["frame_inds"], results["protocol"]
        (array([ 0,  1,  2,  3, 96, 97, 98, 99], dtype=int32), 'iic, 2 clips, 4 frames')
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
                f"{num_clips}: use protocol 'iic' for fewer."
            )
        if rule.placement == "center" and num_clips not in (None, 1):
            raise ValueError(
                f"Protocol {protocol!r} has one clip, in the centre, but num_clips is "
                f"{num_clips}: use protocol 'iic' for several."
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
        """Return the first frames of the clips; negative ones count from the end of the video."""
        span = self.clip_len * self.frame_interval
        if self.protocol.placement == "center":
            return [max(num_frames - span, 0) // 2]
        if self.num_clips is None:
            # As in the authors' CoCLR-style split, a window that would end at the last frame is
            # left out. (There, a video of exactly one window has 15 frames, and a shorter one
            # repeats its first frame. Here both have one clip.)
            return list(range(0, max(num_frames - span, 1), span))
        # Centres are evenly spaced from half a span to half a span before the end. A start is
        # half a span before its centre, truncated to an integer. (For HMDB51 the authors take the
        # absolute value of negative starts, which gives other frames of short videos.)
        centres = np.linspace(span / 2, num_frames - span / 2, self.num_clips)
        return np.trunc(centres - span / 2).astype(int).tolist()
