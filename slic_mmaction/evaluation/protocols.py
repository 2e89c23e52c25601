"""The named retrieval protocols: which clips of a video, seen how, make its embedding.

Numbers of different protocols must not be compared, so every result names its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class RetrievalProtocol:
    """How a video becomes one embedding: the plain mean of its clips' embeddings.

    The clips are not L2-normalised before the mean (checked against the authors' results);
    neighbours are then the nearest by cosine.

    Attributes:
        name: By which configs and results know it.
        num_clips: Clips of each video.
        placement: Where they lie: ``'even'``, over the whole video, or ``'center'``.
        scale: (width, height) to which frames are resized, as in MMAction2's ``Resize``; -1
            follows from the other side.
        keep_ratio: Whether the resizing keeps the aspect ratio.
        crop_size: Side of the centre crop, in pixels.
        clip_len: Frames of each clip.
        frame_interval: Distance between two frames of a clip.
    """

    name: str
    num_clips: int
    placement: str
    scale: tuple[int, int]
    keep_ratio: bool
    crop_size: int = 128
    clip_len: int = 16
    frame_interval: int = 1

    def described(self, num_clips: int, clip_len: int, frame_interval: int) -> str:
        """Name under which results appear; says where the clips are not the protocol's."""
        words = [self.name]
        if num_clips != self.num_clips:
            words.append(f"{num_clips} clips")
        if clip_len != self.clip_len:
            words.append(f"{clip_len} frames")
        if frame_interval != self.frame_interval:
            words.append(f"interval {frame_interval}")
        return ", ".join(words)


PROTOCOLS = MappingProxyType(
    {
        protocol.name: protocol
        for protocol in (
            # The paper's headline numbers, with the clips of IIC (Tao et al., ACM MM 2020).
            RetrievalProtocol(
                "iic", num_clips=10, placement="even", scale=(171, 128), keep_ratio=False
            ),
            # Ten times cheaper, to watch a training: the clip that is also clustered.
            RetrievalProtocol(
                "center", num_clips=1, placement="center", scale=(-1, 128), keep_ratio=True
            ),
        )
    }
)


def get_protocol(name: str) -> RetrievalProtocol:
    """Look up a protocol.

    Raises:
        ValueError: If there is none of that name.
    """
    if name not in PROTOCOLS:
        raise ValueError(
            f"Unknown retrieval protocol {name!r}; known are {', '.join(sorted(PROTOCOLS))}."
        )
    return PROTOCOLS[name]
