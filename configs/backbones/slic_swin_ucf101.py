# SLIC with Video Swin-T; larger ones are backbone=dict(arch='small' or 'base'). From scratch;
# docs/backbones_weights.md says how to begin with weights of the zoo.
_base_ = [
    "mmaction::_base_/models/swin_tiny.py",
    "../_base_/heads/slic_head.py",
    "../_base_/datasets/ucf101_slic_32x2_224.py",
    "../_base_/schedules/slic_adamw_600e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(pretrained2d=False),
    cls_head=dict(_base_.slic_head, _delete_=True),
)
