# The triplet loss alone.
_base_ = "../slic_r3d_ucf101.py"

model = dict(cls_head=dict(losses=_base_.model.cls_head.losses[:1]))
