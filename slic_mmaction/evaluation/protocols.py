"""The named protocols: which clips of a video, seen how, make its embedding.

Numbers of different protocols must not be compared, so every result names its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType

import torch
from torch import Tensor

from ..nearest import Array


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
        scale: (width, height) to which frames are resized, as in MMAction2's ``Resize``; -1
            follows from the other side.
        keep_ratio: Whether the resizing keeps the aspect ratio.
        crop_size: Side of the centre crop, in pixels.
        clip_len: Frames of each clip.
        frame_interval: Distance between two frames of a clip.
    """

    name: str
    num_clips: int | None
    placement: str
    feature: str
    centered: bool
    scale: tuple[int, int]
    keep_ratio: bool
    crop_size: int = 128
    clip_len: int = 16
    frame_interval: int = 1

    def described(self, num_clips: int | None, clip_len: int, frame_interval: int) -> str:
        """Name under which results appear; says where the clips are not the protocol's."""
        words = [self.name]
        if num_clips != self.num_clips:
            words.append(f"{num_clips} clips")
        if clip_len != self.clip_len:
            words.append(f"{clip_len} frames")
        if frame_interval != self.frame_interval:
            words.append(f"interval {frame_interval}")
        return ", ".join(words)

    def prepared(self, embeddings: Array) -> Tensor:
        """Embeddings as they are compared by cosine.

        Args:
            embeddings (np.ndarray | Tensor): (N, D), all of the queries or all of the gallery.

        Returns:
            Tensor: (N, D), centred where the protocol asks for it.
        """
        rows = torch.as_tensor(embeddings)
        if not self.centered:
            return rows
        rows = rows.double()
        return rows - rows.mean(dim=0, keepdim=True)


PROTOCOLS = MappingProxyType(
    {
        protocol.name: protocol
        for protocol in (
            # The paper's headline numbers, with the clips of IIC (Tao et al., ACM MM 2020).
            RetrievalProtocol(
                "iic",
                num_clips=10,
                placement="even",
                feature="projection",
                centered=False,
                scale=(171, 128),
                keep_ratio=False,
            ),
            # After CoCLR (Han et al., NeurIPS 2020); docs/evaluation.md says what its released
            # code does otherwise.
            RetrievalProtocol(
                "coclr",
                num_clips=None,
                placement="windows",
                feature="backbone",
                centered=True,
                scale=(-1, 128),
                keep_ratio=True,
            ),
            # Ten times cheaper, to watch a training: the clip that is also clustered.
            RetrievalProtocol(
                "center",
                num_clips=1,
                placement="center",
                feature="projection",
                centered=False,
                scale=(-1, 128),
                keep_ratio=True,
            ),
        )
    }
)


def get_protocol(name: str) -> RetrievalProtocol:
    """Look up a protocol.

    Args:
        name (str): Its name, or a name under which results appear (``'iic, 4 clips'``).

    Raises:
        ValueError: If there is none of that name.
    """
    key = name.split(",")[0]
    if key not in PROTOCOLS:
        raise ValueError(
            f"Unknown retrieval protocol {key!r}; known are {', '.join(sorted(PROTOCOLS))}."
        )
    return PROTOCOLS[key]


@dataclass(frozen=True)
class SeenAs:
    """How the videos of an evaluation became embeddings.

    Attributes:
        protocol: Name that :class:`SampleProtocolClips` put on the samples.
        feature: Of the network, ``'projection'`` or ``'backbone'``.
        frame_size: (height, width) of the frames in pixels, where known.
    """

    protocol: str
    feature: str
    frame_size: tuple[int, int] | None = None

    @property
    def rule(self) -> RetrievalProtocol:
        """The protocol."""
        return get_protocol(self.protocol)

    @property
    def name(self) -> str:
        """What figures are of, with everything that is not the protocol's.

        For example ``'iic, 4 clips, backbone feature, 56px'``.
        """
        other = "" if self.feature == self.rule.feature else f", {self.feature} feature"
        return f"{self.protocol}{other}{self._pixels}"

    @property
    def clips(self) -> str:
        """The name without the feature."""
        return f"{self.protocol}{self._pixels}"

    @property
    def slug(self) -> str:
        """The name as part of a key: without spaces and commas."""
        return self.name.replace(", ", "_").replace(" ", "-")

    @property
    def _pixels(self) -> str:
        usual = (self.rule.crop_size, self.rule.crop_size)
        if self.frame_size is None or tuple(self.frame_size) == usual:
            return ""
        height, width = self.frame_size
        return f", {width}px" if height == width else f", {width}x{height}px"
