"""Flow, and anything else between a frame and its successor, as 8-bit images for a clip."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

#: Short side, in pixels, of the frames in which a flow bound is measured: UCF101's own.
REFERENCE_SIDE = 240


def to_levels(values: np.ndarray, bound: float) -> np.ndarray:
    """Map ``[-bound, bound]`` to 0..255: ``round((v + bound) * 255 / (2 * bound))``.

    Values beyond the bound are clipped, and halves go to the even level: zero is stored as 128.
    Negating a value gives ``255 - level``, up to one level.
    """
    scaled = (np.asarray(values, dtype=np.float32) + bound) * (255 / (2 * bound))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def flow_levels(component: np.ndarray, bound: float = 20) -> np.ndarray:
    """One component of a flow field as a grey image that can be resized freely.

    The same motion has the same grey level at every resolution, so the image can be resized
    without a change of its values.

    Args:
        component: (H, W) displacement in pixels.
        bound: Clipping displacement in pixels of a frame with a short side of 240 pixels, as in
            TSN's and MMAction2's flow; it scales with the frame.

    Returns:
        (H, W) uint8, see :func:`to_levels`.
    """
    return to_levels(component, bound * min(component.shape) / REFERENCE_SIDE)


def forward_images(
    frames: Sequence[np.ndarray],
    numbers: Sequence[int],
    image: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> list[np.ndarray]:
    """``image(frame, following)`` for each frame of a clip, called once for each pair.

    A frame that no later frame of the video follows by its number (the clip's last, or the last
    before a short video starts over) takes the image of the frame before it, as the last frame of
    a stored flow file does.
    """
    made: dict[tuple[int, int], np.ndarray] = {}
    out: list[np.ndarray] = []
    for i, frame in enumerate(frames):
        following = i + 1
        if following == len(frames) or numbers[following] <= numbers[i]:
            # Nothing comes before a clip's first frame: then nothing moves.
            out.append(out[-1] if out else image(frame, frame))
            continue
        pair = (int(numbers[i]), int(numbers[following]))
        if pair not in made:
            made[pair] = image(frame, frames[following])
        out.append(made[pair])
    return out
