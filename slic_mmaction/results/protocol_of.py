"""What a config says of an evaluation: data, split, and how a video is looked at."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..evaluation.protocols import SeenAs, get_protocol

_FILE = re.compile(
    r"(?P<data>.+?)_(train|val|test)(_list)?(_split_?(?P<split>\d))?(_videos|_rawframes)?"
)
_CROPS = {"TenCrop": "_tencrop", "ThreeCrop": "_threecrop", "CenterCrop": ""}
CLIP_LEN, CROP_SIZE = 16, 128
"""The paper's; a result says where it has others."""


@dataclass(frozen=True)
class Setting:
    """What a config evaluates.

    Attributes:
        data: Name of the data set, and of the gallery's where it is another.
        split: Its number as text, ``'-'`` without one.
        views: Clips, frames and crops of a video as part of a protocol's name.
    """

    data: str
    split: str
    views: str


def setting_of(cfg: Config, loader: str) -> Setting:
    """Read a setting from a config.

    Args:
        cfg (Config): Of a run.
        loader (str): ``'val_dataloader'`` or ``'test_dataloader'``.
    """
    dataset = cfg[loader].dataset
    files = [dataset.get("query", dataset).get("ann_file", "")]
    if "gallery" in dataset:
        files.append(dataset.gallery.get("ann_file", ""))
    named = [_data_of(str(file)) for file in files]
    (data, split), gallery = named[0], named[-1]
    if gallery != named[0]:
        data = f"{data} in {gallery[0]}"
        split = split if split == gallery[1] else f"{split} in {gallery[1]}"
    feature = cfg.model.get("cls_head", {}).get("feature", "projection")
    return Setting(data, split, views_of(dataset.get("pipeline") or [], feature))


def views_of(pipeline: Sequence[Any], feature: str = "projection") -> str:
    """How a pipeline looks at a video, such as ``'iic'`` or ``'10clip_tencrop'``.

    Args:
        pipeline (Sequence[Any]): Configs of transforms.
        feature (str): Which output of the network a retrieval compares.

    Returns:
        str: Name of the protocol, with everything in which the pipeline departs from it;
        empty for a pipeline without a known sampler.
    """
    steps = {step["type"]: step for step in pipeline if isinstance(step, dict)}
    crop = next((name for name in _CROPS if name in steps), None)
    side = steps[crop]["crop_size"] if crop else None
    if "SampleProtocolClips" in steps:
        sampler = steps["SampleProtocolClips"]
        protocol = get_protocol(sampler.get("protocol", "iic"))
        name = protocol.described(
            sampler.get("num_clips") or protocol.num_clips,
            sampler.get("clip_len") or protocol.clip_len,
            sampler.get("frame_interval") or protocol.frame_interval,
        )
        return SeenAs(name, feature).slug + _pixels(side, protocol.crop_size)
    if "SampleFrames" in steps:
        sampler = steps["SampleFrames"]
        clips = sampler.get("num_clips", 1)
        name = f"{clips}clip" if clips > 1 or crop != "CenterCrop" else "center"
        name += _CROPS[crop] if crop else ""
        if sampler["clip_len"] != CLIP_LEN:
            name += f"_{sampler['clip_len']}-frames"
        if sampler.get("frame_interval", 1) != 1:
            name += f"_interval-{sampler['frame_interval']}"
        return name + _pixels(side, CROP_SIZE)
    return ""


def _pixels(side: Any, usual: int) -> str:
    return "" if side in (None, usual) else f"_{side}px"


def _data_of(file: str) -> tuple[str, str]:
    match = _FILE.fullmatch(Path(file).stem)
    return (match["data"], match["split"] or "-") if match else (Path(file).stem or "-", "-")
