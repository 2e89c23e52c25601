"""InfoNCE over pseudo-labels: embeddings of the same cluster are positives of each other."""

from __future__ import annotations

import torch
from mmaction.registry import MODELS
from torch import Tensor, nn

from .distances import Labels, pairwise_distance
from .embedding_queue import EmbeddingQueue
from .gather import anchors_and_positives, several_ranks
from .triplet import isolate_noise


def pseudo_label_info_nce(
    embeddings: Tensor,
    labels: Labels,
    temperature: float = 0.1,
    negatives: Tensor | None = None,
    negative_mask: Tensor | None = None,
) -> Tensor:
    """Compute the InfoNCE loss of embeddings whose positives share their pseudo-label.

    This is the supervised contrastive loss with the mean outside of the logarithm (L_out of
    Khosla et al., "Supervised Contrastive Learning", NeurIPS 2020), with pseudo-labels as labels.
    With cosine similarity s and temperature T, the loss of embedding i, whose positives P(i) are
    the other embeddings with its label, is

        - mean over p in P(i) of log(exp(s(i, p) / T) / sum over a != i of exp(s(i, a) / T))

    The result is the mean over the embeddings that have a positive. Where every label occurs
    twice, once for each view of a video, this is InfoNCE (van den Oord et al., arXiv 1807.03748)
    among the 2N views, also known as NT-Xent.

    Args:
        embeddings: (M, D), any floating dtype.
        labels: (M,) int64, on any device or as an array or list. Embeddings with equal labels
            are positives of each other.
        temperature: T, above 0.
        negatives: (K, D) further embeddings that are never positives, of the same dtype.
        negative_mask: (M, K) bool, required with ``negatives``: whether a negative is in the
            denominator of an embedding.

    Returns:
        Scalar, float32 (float64 for float64 input). Without any positive pair it is exactly 0
        and has a gradient of zeros.

    Raises:
        ValueError: If the shapes do not match.

    Examples:
        >>> from slic_mmaction.losses import pseudo_label_info_nce
        >>> embeddings = torch.tensor([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [0.1, 0.9]])
        >>> pseudo_label_info_nce(embeddings, labels=[0, 0, 1, 1])  # the clusters are far apart
        tensor(0.0004)
        >>> pseudo_label_info_nce(embeddings, labels=[0, 1, 0, 1])  # positives are far apart
        tensor(8.8417)
    """
    return _mean_over_pairs(*_log_shares(embeddings, labels, temperature, negatives, negative_mask))


def _log_shares(
    embeddings: Tensor,
    labels: Labels,
    temperature: float,
    negatives: Tensor | None,
    negative_mask: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Return the log-probability (M, M) of picking j for i, and the positive pairs (M, M)."""
    labels = torch.as_tensor(labels, device=embeddings.device)
    if embeddings.ndim != 2 or labels.shape != embeddings.shape[:1]:
        raise ValueError(
            f"InfoNCE needs embeddings (M, D) and labels (M,), but got "
            f"{tuple(embeddings.shape)} and {tuple(labels.shape)}."
        )
    left_out = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
    positive = (labels[:, None] == labels) & ~left_out
    others = embeddings
    if negatives is not None:
        expected = (len(labels), len(negatives))
        if negative_mask is None or negative_mask.shape != expected:
            got = None if negative_mask is None else tuple(negative_mask.shape)
            raise ValueError(
                f"InfoNCE needs a negative_mask of shape {expected}, with a row for each embedding "
                f"and a column for each negative, but got {got}."
            )
        others = torch.cat((embeddings, negatives))
        left_out = torch.cat((left_out, ~negative_mask), dim=1)
    similarity = 1 - pairwise_distance(embeddings, others)
    # With -inf, a row without any other embedding would have NaN gradients before they are masked,
    # which is an error under anomaly detection.
    lowest = torch.finfo(similarity.dtype).min
    logits = (similarity / temperature).masked_fill(left_out, lowest)
    return logits.log_softmax(dim=1)[:, : len(labels)], positive


def _mean_over_pairs(log_shares: Tensor, positive: Tensor) -> Tensor:
    """Average the negated mean over each row's positives over the rows that have one."""
    counts = positive.sum(1)
    rows = torch.where(positive, -log_shares, 0.0).sum(1) / counts.clamp_min(1)
    return rows.sum() / (counts > 0).sum().clamp_min(1)


@MODELS.register_module()
class PseudoLabelInfoNCELoss(nn.Module):
    """:func:`pseudo_label_info_nce` as a module, for the views of a batch of videos.

    With a queue, embeddings of past batches are additional negatives (see
    :class:`~slic_mmaction.losses.embedding_queue.EmbeddingQueue`), except those of the anchor's
    own cluster. The config then needs ``EmbeddingQueueHook``.

    Args:
        temperature: T, above 0.
        queue_size: Number of past embeddings, two for each video; 0 for no queue.
        channels: Width D of the embeddings, needed by the queue only.
        gather: Whether to compute the loss of the batches of all ranks together
            (:func:`~slic_mmaction.losses.gather.gather_batch`). With a queue this is always so:
            every rank holds the same queue as one process with the whole batch.
        loss_weight: Factor of the loss.

    Raises:
        ValueError: If the temperature is not above 0.

    Examples:
        >>> from mmaction.registry import MODELS
        >>> loss = MODELS.build(dict(type="PseudoLabelInfoNCELoss", temperature=0.1))
        >>> views = torch.tensor([[[1.0, 0.0], [0.9, 0.1]], [[0.0, 1.0], [0.1, 0.9]]])  # (N, V, D)
        >>> loss(views, labels=torch.tensor([0, 1]))
        {'loss_info_nce': tensor(0.0004), 'positives': tensor(1.), 'positive_first': tensor(1.)}
    """

    def __init__(
        self,
        temperature: float = 0.1,
        queue_size: int = 0,
        channels: int = 128,
        gather: bool = False,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if temperature <= 0:
            raise ValueError(
                f"PseudoLabelInfoNCELoss needs a temperature above 0, but got {temperature}."
            )
        self.temperature = temperature
        self.queue = EmbeddingQueue(queue_size, channels) if queue_size else None
        self.gather = gather or self.queue is not None
        self.loss_weight = loss_weight

    def forward(
        self, embeddings: Tensor, labels: Tensor, generator: torch.Generator | None = None
    ) -> dict[str, Tensor]:
        """Compute the loss of a batch and counters to log, then push the batch to the queue.

        Args:
            embeddings: (N, V, D) with V >= 2; view 0 is the anchor, view 1 the positive. Other
                views are not used.
            labels: (N,) int64 pseudo-labels; a noise video (< 0) has only its own positive.
            generator: Not used, as this loss draws nothing. The head passes it to every loss.

        Returns:
            ``loss_info_nce`` (weighted) and the detached float32 scalars ``positives`` (mean
            number of positives of an embedding), ``positive_first`` (share of embeddings whose
            nearest neighbour in the batch is a positive) and, with a queue, ``queue_negatives``
            (mean number of an embedding's negatives in the queue).

        Raises:
            ValueError: If there are fewer than two views, or not one label per video.
        """
        views, labels = anchors_and_positives(
            type(self).__name__, embeddings, labels, self.gather and several_ranks()
        )
        flat, raw = torch.cat((views[:, 0], views[:, 1])), labels.repeat(2)
        negatives, mask = self.queue.negatives(flat, raw) if self.queue else (None, None)
        log_shares, positive = _log_shares(
            flat, isolate_noise(labels).repeat(2), self.temperature, negatives, mask
        )
        output = {"loss_info_nce": self.loss_weight * _mean_over_pairs(log_shares, positive)}
        nearest = log_shares.detach().argmax(dim=1, keepdim=True)
        output["positives"] = positive.sum(1).float().mean()
        output["positive_first"] = positive.gather(1, nearest).float().mean()
        if self.queue and mask is not None:
            output["queue_negatives"] = mask.sum(1).float().mean()
            self.queue.push(flat, raw)
        return output
