# InfoNCE instead of the triplet loss: all videos of a cluster in the batch are positives.
_base_ = "../slic_r3d_ucf101.py"

temporal_loss = _base_.model.cls_head.losses[1]
info_nce = dict(type="PseudoLabelInfoNCELoss", temperature=0.1)
model = dict(cls_head=dict(losses=[info_nce, temporal_loss]))
