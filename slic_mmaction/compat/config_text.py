"""A config that is formatted again for every use of its text.

mmengine 0.10.7 and onedl-mmengine 0.10.12 need the text four times at the start of a run and again
for every checkpoint. Each time yapf formats the whole text, which takes 0.2 to 1 s of CPU time,
depending on the length of its paths (mmcv issue 2466, mmengine pull request 1647).
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
    """Cache the last few results of ``lay_out(text, **options)``, yapf's ``FormatCode``.

    Options are JSON. Errors are not cached.
    """

    @functools.lru_cache(maxsize=4)
    def remembered(text: str, options: str) -> tuple[str, bool]:
        return lay_out(text, **json.loads(options))

    @functools.wraps(lay_out)
    def once(text: str, **options: Any) -> tuple[str, bool]:
        return remembered(text, json.dumps(options, sort_keys=True))

    return once


def repair_config_text() -> bool:
    """Make mmengine's ``Config.pretty_text`` format the same text only once.

    The repair is skipped if the function is wrapped already. The fork imports it from yapf at
    each call.
    """
    owner = config_module if hasattr(config_module, "FormatCode") else yapf_api
    if hasattr(owner.FormatCode, "__wrapped__"):
        return False
    owner.FormatCode = laid_out_once(owner.FormatCode)
    return True
