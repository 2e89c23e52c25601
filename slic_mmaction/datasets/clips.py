"""Running a pipeline on a video, with a sentence where it is put together wrongly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

PACKING = "PackActionInputs"


def make_clips(pipeline: Callable[[dict], Any], results: dict[str, Any], views: int) -> dict:
    """Packed inputs of one video.

    Args:
        pipeline (Callable): Composed transforms.
        results (dict[str, Any]): What they begin with; filled on the way.
        views (int): How many clips must come out, at least: ``inputs`` has that many parts.

    Returns:
        dict: ``inputs`` and ``data_samples``.

    Raises:
        ValueError: If a transform misses what one before it should have made, the last one is not
            ``PackActionInputs``, or the clips are not as many.
    """
    try:
        sample = pipeline(results)
    except KeyError as error:
        raise ValueError(
            f"A transform of the pipeline needs the key {error}, which none before it has made: "
            "the usual order is OpenVideo, SampleViewFrames (SampleFrames where there is one clip "
            "only), DecodeFrames, augmentation, FormatShape, PackActionInputs."
        ) from error
    if not isinstance(sample, dict) or not {"inputs", "data_samples"} <= sample.keys():
        raise ValueError(f"The pipeline must end with {PACKING}, which packs clips for a network.")
    if len(sample["inputs"]) % views:
        raise ValueError(
            f"The pipeline made inputs of shape {tuple(sample['inputs'].shape)} for {views} views "
            "of a video: use SampleViewFrames, and FormatShape before PackActionInputs."
        )
    return sample
