"""A config that is laid out anew whenever its text is asked for.

mmengine 0.10.7 asks four times at the start of a run and again at every checkpoint. Each time yapf
lays out the whole text, which takes 0.2 to 1 s of CPU, depending on how long the paths in it are
(mmcv issue 2466, mmengine pull request 1647). The same text has the same layout, so once is enough.
"""

from __future__ import annotations

import functools
import json
from typing import Any, Callable

import mmengine.config.config as config_module


def laid_out_once(
    lay_out: Callable[..., tuple[str, bool]],
) -> Callable[..., tuple[str, bool]]:
    """Remember what ``lay_out(text, **options)``, yapf's ``FormatCode``, returned for a few texts.

    Options are JSON. An error is raised anew each time.
    """

    @functools.lru_cache(maxsize=4)
    def remembered(text: str, options: str) -> tuple[str, bool]:
        return lay_out(text, **json.loads(options))

    @functools.wraps(lay_out)
    def once(text: str, **options: Any) -> tuple[str, bool]:
        return remembered(text, json.dumps(options, sort_keys=True))

    return once


def repair_config_text() -> bool:
    """Let mmengine's ``Config.pretty_text`` lay out the same text once.

    Left alone: an mmengine that does not use yapf, and a function that somebody has wrapped.
    """
    lay_out = getattr(config_module, "FormatCode", None)
    if lay_out is None or hasattr(lay_out, "__wrapped__"):
        return False
    config_module.FormatCode = laid_out_once(lay_out)
    return True
