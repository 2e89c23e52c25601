"""Width, size and speed of a config's backbone."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from mmaction.registry import MODELS
from mmcv.transforms import Compose
from mmengine.config import Config
from mmengine.dataset import pseudo_collate
from mmengine.registry import init_default_scope
from torch import Tensor

if TYPE_CHECKING:
    from mmaction.models.recognizers.base import BaseRecognizer


def build_recognizer(cfg: Config) -> BaseRecognizer:
    """Build the recognizer of a config, its weights random."""
    init_default_scope("mmaction")
    return MODELS.build(cfg.model)


def count_parameters(recognizer: BaseRecognizer) -> int:
    """Parameters of the backbone, trained or frozen, without head."""
    return sum(parameter.numel() for parameter in recognizer.backbone.parameters())


def embedded_clip(cfg: Config, recognizer: BaseRecognizer, video: Path) -> Tensor:
    """The clip of a video that the config would cluster, as its backbone gets it.

    Args:
        cfg (Config): Its ``PseudoLabelHook`` has the pipeline.
        recognizer (BaseRecognizer): Of that config.
        video (Path): Any video file.

    Returns:
        Tensor: (1, views, C, T, H, W), or (1, frames, C, H, W) for a 2D network.
    """
    pipeline = Compose(pseudo_label_hook(cfg)["pipeline"])
    sample = pipeline(dict(filename=str(video), label=0, start_index=0, modality="RGB"))
    return recognizer.data_preprocessor(pseudo_collate([sample]))["inputs"]


def pseudo_label_hook(cfg: Config) -> dict[str, Any]:
    """The hook that clusters, as the config has it."""
    return next(hook for hook in cfg.custom_hooks if hook["type"] == "PseudoLabelHook")


@torch.no_grad()
def forward_seconds(recognizer: BaseRecognizer, clip: Tensor, rounds: int = 3) -> float:
    """Processor time that the backbone takes for one clip in evaluation mode.

    Args:
        recognizer (BaseRecognizer): Switched to evaluation mode.
        clip (Tensor): Of :func:`embedded_clip`.
        rounds (int): Passes after a first one that is not counted.

    Returns:
        float: Median of the rounds, in seconds of all threads together.
    """
    recognizer.eval()
    seconds = []
    for _ in range(rounds + 1):
        start = time.process_time()
        recognizer.extract_feat(clip, stage="backbone")
        seconds.append(time.process_time() - start)
    return statistics.median(seconds[1:])


def clip_size(clip: Sequence[int]) -> tuple[int, int]:
    """Frames and pixels (height) of a clip, from its shape.

    Args:
        clip (Sequence[int]): (1, views, C, T, H, W) or (1, frames, C, H, W).
    """
    return (clip[3], clip[4]) if len(clip) == 6 else (clip[1], clip[3])
