"""8-bit images of flow, or of other values between consecutive frames."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

#: Short side, in pixels, of the frames to which a flow bound refers: that of UCF101.
REFERENCE_SIDE = 240


def to_levels(values: np.ndarray, bound: float) -> np.ndarray:
    """Map ``[-bound, bound]`` to 0..255: ``round((v + bound) * 255 / (2 * bound))``.

    Values beyond the bound are clipped, and halves are rounded to the even level: zero becomes
    128. Negating a value gives ``255 - level``, up to one level.
    """
    scaled = (np.asarray(values, dtype=np.float32) + bound) * (255 / (2 * bound))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


def flow_levels(component: np.ndarray, bound: float = 20) -> np.ndarray:
    """Convert one component of a flow field to a grey image that can be resized.

    The same motion has the same grey level at every resolution, so resizing the image needs no
    change of its values.

    Args:
        component: (H, W) displacement in pixels.
        bound: Largest displacement, in pixels of a frame with a short side of 240 pixels, as in
            TSN's and MMAction2's flow. It is scaled with the frame.

    Returns:
        (H, W) uint8, see :func:`to_levels`.
    """
    return to_levels(component, bound * min(component.shape) / REFERENCE_SIDE)


def forward_images(
    frames: Sequence[np.ndarray],
    numbers: Sequence[int],
    image: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> list[np.ndarray]:
    """Compute ``image(frame, next frame)`` for each frame of a clip.

    The last frame of a clip, or of a short video before it is looped, has no next frame and gets
    the image of the frame before it, as in a stored flow file.

    Args:
        frames: T frames.
        numbers: T frame numbers in the video.
        image: Function of two frames. It is called once for each pair of numbers.

    Returns:
        T images.
    """
    made: dict[tuple[int, int], np.ndarray] = {}
    out: list[np.ndarray] = []
    for i, frame in enumerate(frames):
        following = i + 1
        if following == len(frames) or numbers[following] <= numbers[i]:
            # The first frame of a clip has no image before it, so it shows no motion.
            out.append(out[-1] if out else image(frame, frame))
            continue
        pair = (int(numbers[i]), int(numbers[following]))
        if pair not in made:
            made[pair] = image(frame, frames[following])
        out.append(made[pair])
    return out
