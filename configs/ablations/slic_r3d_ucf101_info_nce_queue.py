# InfoNCE over pseudo-labels with past embeddings, of the last 32 batches at most, as negatives.
_base_ = "slic_r3d_ucf101_info_nce.py"

info_nce = dict(_base_.info_nce, queue_size=2048, channels=_base_.model.cls_head.out_channels)
model = dict(cls_head=dict(losses=[info_nce, _base_.temporal_loss]))
custom_hooks = [*_base_.custom_hooks, dict(type="EmbeddingQueueHook")]
