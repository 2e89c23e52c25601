# SLIC with UniFormer-S. From scratch; docs/backbones_weights.md says how to begin with weights of
# the zoo.
_base_ = [
    "../_base_/models/uniformer_small.py",
    "../_base_/heads/slic_head.py",
    "../_base_/datasets/ucf101_slic_16x4_224.py",
    "../_base_/schedules/slic_adamw_600e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(pretrained2d=False),
    cls_head=dict(_base_.slic_head, _delete_=True),
)
