"""Augmentation and normalisation of a batch on the device."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from mmaction.models.data_preprocessors import ActionDataPreprocessor
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from torch import Tensor

from ..transforms.clip_draws import FLOW, RGB, UNIFORMS, Appearance, ClipDraws, draw_clips
from .device_augment import augment_clips


@MODELS.register_module()
class SLICDataPreprocessor(ActionDataPreprocessor):
    """``ActionDataPreprocessor`` that augments training clips before it normalises them.

    Workers decode, crop and resize (``ClipRandomResizedCrop``) and ship uint8; flip,
    colour jitter, greyscale and blur happen here, for all clips of the batch together.
    Only training batches are augmented: what is embedded, validated or tested is
    normalised as by the stock preprocessor.

    The draws of a clip are a function of its sample's ``draw_seed``, which
    :class:`ClusterAwareDataset` derives from (seed, epoch, index), and of its view, so a
    run depends neither on workers nor on ranks nor on what else is in the batch.

    Args:
        augment (dict, optional): Fields of
            :class:`slic_mmaction.transforms.clip_draws.Appearance` that depart from the
            paper's values.
        **kwargs: Arguments of ``ActionDataPreprocessor`` (mean, std, ...), with
            ``format_shape='NCTHW'`` and RGB frames.

    Raises:
        ValueError: If frames are not to be NCTHW in RGB.
    """

    def __init__(self, augment: dict | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        if self.format_shape != "NCTHW" or self.to_rgb:
            raise ValueError(
                "SLICDataPreprocessor needs format_shape='NCTHW' and frames in RGB "
                f"(to_rgb=False), but got {self.format_shape!r} and to_rgb={self.to_rgb}."
            )
        known = inspect.signature(Appearance).parameters
        if unknown := set(augment or {}) - set(known):
            raise TypeError(
                f"SLICDataPreprocessor's augment knows {', '.join(known)}, but got "
                f"{', '.join(map(repr, sorted(map(str, unknown))))}."
            )
        self.appearance = Appearance(**(augment or {}))

    def preprocess(
        self,
        inputs: list[Tensor],
        data_samples: Sequence[ActionDataSample],
        training: bool = False,
    ) -> tuple[Tensor, Sequence[ActionDataSample]]:
        """Augment, if training, then do what the stock preprocessor does.

        Args:
            inputs (list[Tensor]): N samples (V, 3, T, H, W) uint8, all of one size when
                training.
            data_samples (Sequence[ActionDataSample]): Their metainfo has ``draw_seed``
                when training and may have ``modalities``, one name for each view.
            training (bool): Whether to augment.

        Returns:
            tuple: (N, V, 3, T, H, W) float32 and the data samples.
        """
        if training:
            inputs = list(self._augment(inputs, data_samples))
        return super().preprocess(inputs, data_samples, training)

    @torch.no_grad()
    def _augment(self, inputs: list[Tensor], data_samples: Sequence[ActionDataSample]) -> Tensor:
        _check(inputs, data_samples)
        batch = torch.stack(inputs)
        draws = sample_draws(data_samples, batch.shape[1], self.appearance)
        modalities = np.concatenate(
            [sample.get("modalities", [RGB] * batch.shape[1]) for sample in data_samples]
        )
        clips = batch.flatten(0, 1).contiguous()
        # MMEngine preprocesses inside its autocast context, whose half precision would round
        # grey levels of the blur.
        with torch.autocast(clips.device.type, enabled=False):
            augment_clips(
                clips,
                draws.colors_only_on(modalities == RGB),
                self.appearance,
                modalities == FLOW,
            )
        # Into the memory layout that came, so that the network gets the one it gets elsewhere.
        return batch.copy_(clips.view_as(batch))


def sample_draws(
    data_samples: Sequence[ActionDataSample], views: int, appearance: Appearance
) -> ClipDraws:
    """Draw for all views of some samples, each from its own seed.

    Args:
        data_samples (Sequence[ActionDataSample]): N samples with ``draw_seed``.
        views (int): Number V of clips in a sample.
        appearance (Appearance): The distribution.

    Returns:
        ClipDraws: For N * V clips, the views of a sample in a row.
    """
    uniforms = [np.random.default_rng(s.draw_seed).random((views, UNIFORMS)) for s in data_samples]
    return draw_clips(np.concatenate(uniforms), appearance)


def _check(inputs: Sequence[Tensor], data_samples: Sequence[ActionDataSample]) -> None:
    if any("draw_seed" not in sample for sample in data_samples):
        raise ValueError(
            "SLICDataPreprocessor draws from each sample's draw_seed, which ClusterAwareDataset "
            "writes, but a training sample has none; use ActionDataPreprocessor here."
        )
    shapes = {tuple(clips.shape) for clips in inputs}
    dtypes = {clips.dtype for clips in inputs}
    if len(shapes) > 1 or dtypes != {torch.uint8}:
        raise ValueError(
            "SLICDataPreprocessor needs uint8 clips of one size, but a training batch has "
            f"{sorted(shapes)} of {sorted(map(str, dtypes))}; end the pipeline with "
            "ClipRandomResizedCrop, FormatShape and PackActionInputs."
        )
    views = inputs[0].shape[0]
    named = {len(sample.get("modalities", [RGB] * views)) for sample in data_samples}
    if named != {views}:
        raise ValueError(
            f"SLICDataPreprocessor needs one modality for each of a sample's {views} views, but "
            f"a training batch has samples with {sorted(named)} modalities."
        )
