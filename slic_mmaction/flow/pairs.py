"""Images made of a frame and its successor, for the frames of a clip."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np


def forward_images(
    frames: Sequence[np.ndarray],
    numbers: Sequence[int],
    image: Callable[[np.ndarray, np.ndarray], np.ndarray],
) -> list[np.ndarray]:
    """``image(frame, following)`` for each frame of a clip.

    A frame that no later frame of the video follows (the clip's last, or the last before
    a short video starts over) takes the image of the frame before it, as the last frame
    of a stored flow file does.

    Args:
        frames (Sequence[np.ndarray]): The clip's frames.
        numbers (Sequence[int]): Their numbers in the video.
        image (Callable): Makes the image of two frames; called once for each pair.

    Returns:
        list[np.ndarray]: One image for each frame.
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
