"""InfoNCE over pseudo-labels: all of the same cluster in the batch are positives."""

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
    """Cross-entropy of picking an embedding's positives among all others, by cosine similarity s.

    The supervised contrastive loss with the mean outside of the logarithm (L_out of Khosla et
    al., "Supervised Contrastive Learning", NeurIPS 2020), with pseudo-labels for labels. For
    embedding i with positives P(i), the others of its label:

        - mean over p in P(i) of log(exp(s(i, p) / T) / sum over a != i of exp(s(i, a) / T))

    averaged over the embeddings that have a positive. Where every label occurs twice, once for
    each view of a video, this is InfoNCE (van den Oord et al., arXiv 1807.03748) among the 2N
    views, known as NT-Xent.

    Args:
        embeddings: (M, D), any floating dtype.
        labels: (M,) int64, on any device or as an array or list; equal ones are positives of
            each other.
        temperature: T, above 0.
        negatives: (K, D) further embeddings that are nobody's positives, of the same dtype.
        negative_mask: (M, K) bool, with ``negatives``: which of them stand in the denominator of
            which embedding.

    Returns:
        Scalar, float32 (float64 for float64 input). Without any positive pair it is exactly 0
        and has a gradient of zeros.

    Raises:
        ValueError: If shapes do not fit.
    """
    return _mean_over_pairs(*_log_shares(embeddings, labels, temperature, negatives, negative_mask))


def _log_shares(
    embeddings: Tensor,
    labels: Labels,
    temperature: float,
    negatives: Tensor | None,
    negative_mask: Tensor | None,
) -> tuple[Tensor, Tensor]:
    """Log-probability of picking j for i (M, M), and the mask of positive pairs (M, M)."""
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
                f"InfoNCE needs negative_mask of shape {expected}, one row for each embedding and "
                f"one column for each of negatives, but got {got}."
            )
        others = torch.cat((embeddings, negatives))
        left_out = torch.cat((left_out, ~negative_mask), dim=1)
    similarity = 1 - pairwise_distance(embeddings, others)
    # Not -inf: where there is nothing to compare with, gradients would be NaN before they are
    # masked, which is an error under anomaly detection.
    lowest = torch.finfo(similarity.dtype).min
    logits = (similarity / temperature).masked_fill(left_out, lowest)
    return logits.log_softmax(dim=1)[:, : len(labels)], positive


def _mean_over_pairs(log_shares: Tensor, positive: Tensor) -> Tensor:
    """Negated mean over each row's positives, averaged over the rows that have one."""
    counts = positive.sum(1)
    rows = torch.where(positive, -log_shares, 0.0).sum(1) / counts.clamp_min(1)
    return rows.sum() / (counts > 0).sum().clamp_min(1)


@MODELS.register_module()
class PseudoLabelInfoNCELoss(nn.Module):
    """:func:`pseudo_label_info_nce` for the views of a batch of videos.

    With a queue, embeddings of past batches are additional negatives (see
    :class:`~slic_mmaction.losses.embedding_queue.EmbeddingQueue`); those of the anchor's own
    cluster are left out. The configuration then needs ``EmbeddingQueueHook``.

    Args:
        temperature: T, above 0.
        queue_size: Number of past embeddings, two for each video; 0 for none.
        channels: Width D of the embeddings, needed by the queue only.
        gather: Whether the batch is that of all ranks together
            (:func:`~slic_mmaction.losses.gather.gather_batch`). With a queue it always is, and
            every rank holds the same queue: that of one process with the whole batch.
        loss_weight: Factor of the loss.

    Raises:
        ValueError: If the temperature is not above 0.
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
        """Loss of one batch, and counters to watch; the batch then enters the queue.

        Args:
            embeddings: (N, V, D) with V >= 2; view 0 is the anchor, view 1 the positive. Others
                are not used.
            labels: (N,) int64 pseudo-labels; a noise video (< 0) pairs with its own positive
                only.
            generator: Not used; taken so that every loss of the head is called alike.

        Returns:
            ``loss_info_nce`` (weighted) and, detached float32 scalars, ``positives`` (mean
            number of positives of an embedding), ``positive_first`` (share of embeddings whose
            nearest one in the batch is a positive) and, with a queue, ``queue_negatives`` (mean
            number of an embedding's negatives in it).

        Raises:
            ValueError: If there are fewer than two views or the labels do not fit.
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
