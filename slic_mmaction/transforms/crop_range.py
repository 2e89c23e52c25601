"""What a random resized crop may be asked for."""

from __future__ import annotations

from collections.abc import Sequence


def check_crop(
    owner: object, size: int, area_range: Sequence[float], aspect_ratio_range: Sequence[float]
) -> None:
    """Refuse a crop that cannot be drawn.

    Args:
        owner (object): The transform, for the message.
        size (int): Side of the result in pixels.
        area_range (Sequence[float]): Lowest and highest share of the frame's area.
        aspect_ratio_range (Sequence[float]): Lowest and highest width over height.

    Raises:
        ValueError: If one is out of its range, or a range is upside down.
    """
    (small, large), (narrow, wide) = area_range, aspect_ratio_range
    if size < 1 or not 0 < small <= large <= 1 or not 0 < narrow <= wide:
        raise ValueError(
            f"{type(owner).__name__} needs a size of at least 1, an area_range within 0..1 and an "
            f"aspect_ratio_range above 0, each from low to high, but got {size}, "
            f"{tuple(area_range)} and {tuple(aspect_ratio_range)}."
        )
