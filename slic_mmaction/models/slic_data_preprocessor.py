"""Augmentation and normalisation of a batch on the device."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from torch import Tensor

from ..transforms.clip_draws import FLOW, RGB, Appearance, draw_clips
from .device_augment import augment_clips


@MODELS.register_module()
class SLICDataPreprocessor(ActionDataPreprocessor):
    """``ActionDataPreprocessor`` that augments training clips before it normalises them.

    Workers decode, crop and resize the clips (``ClipAugment(on_device=True)``) and send them as
    uint8. This class flips, jitters, greys and blurs all clips of a batch together, with the
    random numbers that the worker has drawn. The result is the same as that of a ``ClipAugment``
    without ``on_device``. Batches for embedding, validation and test are only normalised.

    Args:
        augment: Fields of :class:`slic_mmaction.transforms.clip_draws.Appearance` that differ
            from the paper's values.
        **kwargs: Arguments of ``ActionDataPreprocessor`` (mean, std, ...), with
            ``format_shape='NCTHW'`` and RGB frames.

    Raises:
        ValueError: If the format is not NCTHW or the frames are not RGB.

    Examples:
        >>> from mmaction.registry import MODELS
        >>> options = dict(mean=[128.0], std=[64.0], format_shape="NCTHW")
        >>> preprocessor = MODELS.build(dict(type="SLICDataPreprocessor", **options))
        >>> clips = torch.full((2, 3, 8, 112, 112), 192, dtype=torch.uint8)  # (V, C, T, H, W)
        >>> preprocessor(dict(inputs=[clips], data_samples=[]))["inputs"].unique()
        tensor([1.])
    """

    def __init__(self, augment: dict | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.format_shape != "NCTHW" or self.to_rgb:
            raise ValueError(
                "SLICDataPreprocessor needs format_shape='NCTHW' and frames in RGB "
                f"(to_rgb=False), but got {self.format_shape!r} and to_rgb={self.to_rgb}."
            )
        self.appearance = Appearance(**(augment or {}))
        # Copies of a batch do not wait for each other; they overlap if the loader pins memory.
        self._non_blocking = True

    def preprocess(
        self,
        inputs: list[Tensor],
        data_samples: Sequence[ActionDataSample],
        training: bool = False,
    ) -> tuple[Tensor, Sequence[ActionDataSample]]:
        """Augment the clips if training, then normalise them as the stock preprocessor does.

        Args:
            inputs: N samples (V, 3, T, H, W) uint8, all of the same size when training.
            data_samples: Their metainfo has ``clip_draws`` (V, 12) when training, and may have
                ``modalities``, one name for each view.
            training: Whether to augment.

        Returns:
            (N, V, 3, T, H, W) float32 and the data samples.

        Raises:
            ValueError: If training and the clips do not come from
                ``ClipAugment(on_device=True)``.
        """
        if training:
            inputs = list(self._augment(inputs, data_samples))
        return super().preprocess(inputs, data_samples, training)

    @torch.no_grad()
    def _augment(self, inputs: list[Tensor], data_samples: Sequence[ActionDataSample]) -> Tensor:
        if any("clip_draws" not in sample for sample in data_samples):
            raise ValueError(
                "SLICDataPreprocessor needs the draws of ClipAugment(on_device=True), but a "
                "training sample has no clip_draws: use that transform and "
                "PackActionInputs(meta_keys=('modalities', 'clip_draws'))."
            )
        shapes = {tuple(clips.shape) for clips in inputs}
        dtypes = {clips.dtype for clips in inputs}
        if len(shapes) > 1 or dtypes != {torch.uint8}:
            raise ValueError(
                "SLICDataPreprocessor needs uint8 clips of the same size, but a training batch has "
                f"{sorted(shapes)} of {sorted(map(str, dtypes))}; end the pipeline with "
                "ClipAugment(on_device=True), FormatShape and PackActionInputs."
            )
        batch = torch.stack(inputs)
        all_rgb = [RGB] * batch.shape[1]
        modalities = np.concatenate([s.get("modalities", all_rgb) for s in data_samples])
        uniforms = np.concatenate([sample.clip_draws for sample in data_samples])
        draws = draw_clips(uniforms, self.appearance).colors_only_on(modalities == RGB)
        clips = batch.flatten(0, 1).contiguous()
        # MMEngine preprocesses under autocast, whose half precision would round the blur's grey
        # levels.
        with torch.autocast(clips.device.type, enabled=False):
            augment_clips(clips, draws, self.appearance, modalities == FLOW)
        # Copy into the memory layout of the batch, so that the network gets its usual layout.
        return batch.copy_(clips.view_as(batch))
