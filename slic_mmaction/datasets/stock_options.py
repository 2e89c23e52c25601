"""Options of MMAction2's video datasets, checked before they reach it.

A wrong one comes up there as an error about paths, or as a missing key.
"""

from __future__ import annotations

import os
import reprlib
from collections.abc import Mapping
from typing import Any

from mmaction.datasets import BaseActionDataset, RawframeDataset, VideoDataset

NONE = type(None)
TYPES: dict[str, tuple[str, tuple[type, ...]]] = dict(
    ann_file=("str", (str, os.PathLike)),
    data_prefix=("dict", (Mapping,)),
    num_classes=("int | None", (int, NONE)),
    start_index=("int", (int,)),
    multi_class=("bool", (bool,)),
    with_offset=("bool", (bool,)),
    delimiter=("str | None", (str, NONE)),
)
# The part of data_prefix that a dataset takes its files from.
PREFIX = {VideoDataset: "video", RawframeDataset: "img"}


def check_options(kind: type[BaseActionDataset], options: Mapping[str, Any]) -> None:
    """Check the options of a dataset's config; those that are not known here pass.

    Args:
        kind (type[BaseActionDataset]): The dataset.
        options (Mapping[str, Any]): Of its config.

    Raises:
        TypeError: If one is of the wrong type.
        ValueError: If ``data_prefix`` lacks what this dataset needs.
    """
    for name, (expected, types) in TYPES.items():
        if name in options and not isinstance(options[name], types):
            raise TypeError(
                f"{kind.__name__} needs {name} of type {expected}, but got "
                f"{reprlib.repr(options[name])} of type {type(options[name]).__name__}."
            )
    prefix = options.get("data_prefix")
    part = PREFIX.get(kind)
    if prefix is not None and part is not None and not isinstance(prefix.get(part), str):
        raise ValueError(
            f"{kind.__name__} needs data_prefix=dict({part}=FOLDER), '' for none, but got "
            f"{reprlib.repr(dict(prefix))}."
        )
