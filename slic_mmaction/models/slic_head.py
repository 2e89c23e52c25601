"""The head that computes embeddings from features and losses from embeddings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import torch
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.functional import normalize
from torch.nn.modules.module import register_module_module_registration_hook

from .pooling import infer_width, pool_clips

FEATURES = ("projection", "backbone")


@MODELS.register_module()
class SLICHead(BaseModule):
    """Projection head of SLIC (CVPR 2022, section 3), the ``cls_head`` of a recognizer.

    Its layers are pooled feature -> Linear -> BatchNorm -> ReLU -> Linear. The embedding is not
    normalised, because the losses use the cosine distance. The linear layers keep torch's
    initialisation, as in the authors' code; only convolutions use Kaiming's.

    Args:
        in_channels: Width of the pooled backbone feature. ``'auto'`` finds it when the head
            becomes the ``cls_head`` of a recognizer.
        losses: Configs of losses. Each is called with embeddings (N, V, D), pseudo-labels (N,)
            and a generator, and returns named scalars. Those with ``loss`` in their name are
            summed.
        hidden_channels: Width of the hidden layer.
        out_channels: Width D of the embedding.
        feature: What :meth:`predict` returns: ``'projection'`` (D) or the pooled ``'backbone'``
            feature (in_channels).
        num_segments: Number of frames of a clip for ``Recognizer2D``, whose frame features are
            averaged. None if the backbone processes whole clips.
        init_cfg: Initialisation config of MMEngine.

    Raises:
        ValueError: If the feature is unknown, or a width or num_segments is less than 1.

    Examples:
        >>> from mmaction.registry import MODELS
        >>> losses = [dict(type="PseudoLabelTripletLoss"), dict(type="TemporalDiscriminationLoss")]
        >>> head = MODELS.build(dict(type="SLICHead", in_channels=512, losses=losses))
        >>> head(torch.rand(6, 512, 1, 4, 4)).shape  # the backbone's output for 6 clips
        torch.Size([6, 128])
    """

    def __init__(
        self,
        in_channels: int | Literal["auto"],
        losses: Sequence[dict],
        hidden_channels: int = 2048,
        out_channels: int = 128,
        feature: str = "projection",
        num_segments: int | None = None,
        init_cfg: dict | None = None,
    ) -> None:
        super().__init__(init_cfg)
        if feature not in FEATURES:
            raise ValueError(f"SLICHead's feature is one of {FEATURES}, but got {feature!r}.")
        if isinstance(in_channels, str) and in_channels != "auto":
            raise ValueError(f"SLICHead's in_channels is a number or 'auto', not {in_channels!r}.")
        widths = [hidden_channels, out_channels]
        widths += [n for n in (in_channels, num_segments) if isinstance(n, int)]
        if min(widths) < 1:
            raise ValueError(
                "SLICHead needs widths and num_segments of at least 1, but got in_channels="
                f"{in_channels}, hidden_channels={hidden_channels}, out_channels={out_channels}, "
                f"num_segments={num_segments}."
            )
        self.in_channels = in_channels
        self.hidden_channels = hidden_channels
        self.out_channels = out_channels
        self.feature = feature
        self.num_segments = num_segments
        self.projection: nn.Sequential
        if in_channels != "auto":
            self.build_projection(in_channels)
        self.losses = nn.ModuleList(MODELS.build(loss) for loss in losses)

    def build_projection(self, in_channels: int) -> None:
        """Build the layers for a pooled feature of ``in_channels``."""
        self.in_channels = in_channels
        self.projection = nn.Sequential(
            nn.Linear(in_channels, self.hidden_channels),
            nn.BatchNorm1d(self.hidden_channels),
            nn.ReLU(inplace=True),
            nn.Linear(self.hidden_channels, self.out_channels),
        )

    def forward(self, feats: Tensor | Sequence[Any], **kwargs: object) -> Tensor:
        """Embed clips.

        Args:
            feats: Output of the backbone for M clips.
            **kwargs: Not used. Recognizers pass them to every head.

        Returns:
            (M, D) embeddings.
        """
        pooled = self._pool(feats)
        return self.projection(pooled)

    def loss(
        self,
        feats: Tensor | Sequence[Any],
        data_samples: Sequence[ActionDataSample],
        **kwargs: object,
    ) -> dict[str, Tensor]:
        """Compute the losses and counters of a batch of N samples with V views each.

        Mining draws from a generator seeded by the batch's first sample. It depends on
        (seed, epoch, index) only, so a resumed run mines the same negatives.

        Args:
            feats: Backbone output of N * V clips, the views of a sample in consecutive rows.
            data_samples: N samples of :class:`ClusterAwareDataset`.
            **kwargs: Not used. Recognizers pass them to every head.

        Returns:
            Scalars of the losses by name, and ``mean_cosine`` of the videos of the batch if it has
            at least two.

        Raises:
            ValueError: If the number of embeddings is not N * V.
        """
        rows, views = self(feats), len(data_samples[0].video_indices)
        if len(rows) != len(data_samples) * views:
            raise ValueError(
                f"{len(data_samples)} samples of {views} views gave {len(rows)} embeddings: with "
                f"Recognizer2D, cls_head.num_segments ({self.num_segments}) must be the clip_len "
                "of the pipeline; with Recognizer3D, FormatShape must be 'NCTHW'."
            )
        embeddings = rows.unflatten(0, (len(data_samples), views))
        labels = torch.cat([sample.pseudo_label for sample in data_samples])
        generator = torch.Generator(embeddings.device)
        generator.manual_seed(data_samples[0].draw_seed)
        scalars: dict[str, Tensor] = {}
        for loss in self.losses:
            scalars.update(loss(embeddings, labels, generator))
        if len(embeddings) > 1:
            scalars["mean_cosine"] = _mean_cosine(embeddings[:, 0].detach())
        return scalars

    def predict(
        self,
        feats: Tensor | Sequence[Any],
        data_samples: Sequence[ActionDataSample],
        **kwargs: object,
    ) -> Sequence[ActionDataSample]:
        """Add each video's embedding, the mean over its clips, to its data sample.

        Args:
            feats: Backbone output of N * clips, the clips of a video in consecutive rows.
            data_samples: N samples.
            **kwargs: Not used. Recognizers pass them to every head.

        Returns:
            The samples with ``embedding`` (D,) float32 and the metainfo ``feature``.
        """
        clips = self(feats) if self.feature == "projection" else self._pool(feats)
        videos = clips.float().unflatten(0, (len(data_samples), -1)).mean(dim=1)
        for sample, embedding in zip(data_samples, videos):
            sample.set_field(embedding, "embedding")
            sample.set_metainfo(dict(feature=self.feature))
        return data_samples

    def _pool(self, feats: Tensor | Sequence[Any]) -> Tensor:
        if self.in_channels == "auto":
            raise ValueError(
                "SLICHead finds in_channels='auto' when it becomes the cls_head of a recognizer; "
                "alone it needs a number: set in_channels to the width of the pooled feature."
            )
        pooled = pool_clips(feats, self.num_segments)
        if pooled.shape[1] != self.in_channels:
            raise ValueError(
                f"SLICHead was built with in_channels={self.in_channels}, but the backbone's "
                f"feature has {pooled.shape[1]} channels: set cls_head.in_channels to that."
            )
        return pooled


def _mean_cosine(embeddings: Tensor) -> Tensor:
    """Average the cosines of all pairs of rows (N, D): near 1 if the embeddings have collapsed."""
    units = normalize(embeddings.float(), dim=1)
    count = len(units)
    return (units.sum(dim=0).square().sum() - count) / (count * (count - 1))


def _find_width(parent: nn.Module, name: str, child: nn.Module | None) -> None:
    """Set the width of a head with ``in_channels='auto'`` once it is part of a recognizer.

    A registry builds the head without the backbone. Torch calls this function whenever a module
    becomes part of another, so it works with any recognizer, including the user's own.
    """
    if isinstance(child, SLICHead) and child.in_channels == "auto" and hasattr(parent, "backbone"):
        child.build_projection(infer_width(parent, child.num_segments))


register_module_module_registration_hook(_find_width)
