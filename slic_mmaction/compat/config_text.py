"""A config that is laid out anew whenever its text is asked for.

mmengine 0.10.7 and onedl-mmengine 0.10.12 ask four times at the start of a run and again at every
checkpoint. Each time yapf lays out the whole text, which takes 0.2 to 1 s of CPU, depending on how
long the paths in it are (mmcv issue 2466, mmengine pull request 1647). The same text has the same
layout, so once is enough.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable
from typing import Any

import mmengine.config.config as config_module
from yapf.yapflib import yapf_api


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

    Left alone: a function that somebody has wrapped. The fork imports it from yapf at each call.
    """
    owner = config_module if hasattr(config_module, "FormatCode") else yapf_api
    if hasattr(owner.FormatCode, "__wrapped__"):
        return False
    owner.FormatCode = laid_out_once(owner.FormatCode)
    return True
