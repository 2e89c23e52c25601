"""What mmengine believes of a checkpoint's content.

MMCV 1 kept the text of the config in ``meta['config']``. mmengine 0.10.7 hands that text to
``Config.fromstring`` when a run is resumed, to compare the number of GPUs, and a config is a
Python program: a stranger's checkpoint runs whatever it holds there, however safely its pickle
was read. A checkpoint that is no dict ends in an error about attributes of a list.
"""

from __future__ import annotations

import inspect
from typing import Any

from mmengine.runner import CheckpointLoader, Runner

_mmengine_load_checkpoint = CheckpointLoader.load_checkpoint


def repair_checkpoint_content() -> bool:
    """Check the content of every checkpoint that mmengine loads, from wherever.

    Left alone: an mmengine that does not run the config in a checkpoint.

    Returns:
        Whether mmengine's loader needed it.
    """
    if "Config.fromstring" not in inspect.getsource(Runner.resume):
        return False
    CheckpointLoader.load_checkpoint = staticmethod(load_checkpoint)
    return True


def load_checkpoint(
    filename: str, map_location: Any = None, logger: Any = "current"
) -> dict[str, Any]:
    """Load as mmengine does, without the program; stands in for ``CheckpointLoader``'s.

    Args:
        filename: Path or address.
        map_location: As for ``torch.load``.
        logger: For mmengine's line about where it loads from.

    Returns:
        The checkpoint, without ``meta['config']``.

    Raises:
        ValueError: It is no dict.
    """
    checkpoint = _mmengine_load_checkpoint(filename, map_location, logger)
    if not isinstance(checkpoint, dict):
        raise ValueError(
            f"The checkpoint {filename} holds a {type(checkpoint).__name__} where a dict of "
            "weights, or with them under 'state_dict', was expected: give another file."
        )
    meta = checkpoint.get("meta")
    if isinstance(meta, dict):
        meta.pop("config", None)
    return checkpoint
