# SLIC with VideoMAE's ViT-B; for VideoMAE's own weights see docs/backbones_weights.md.
_base_ = [
    "../_base_/models/videomae_base.py",
    "../_base_/heads/slic_head.py",
    "../_base_/datasets/ucf101_slic_16x4_224.py",
    "../_base_/schedules/slic_adamw_600e.py",
    "../_base_/default_runtime.py",
]

model = dict(cls_head=dict(_base_.slic_head, _delete_=True))
