# SLIC with C2D (ResNet-50), the 2D network that pools over time. From scratch;
# docs/backbones_weights.md says how to begin with weights of the zoo.
_base_ = [
    "mmaction::_base_/models/c2d_r50.py",
    "../_base_/heads/slic_head.py",
    "../_base_/datasets/ucf101_slic_8x8_224.py",
    "../_base_/schedules/slic_sgd_600e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(pretrained=None),
    cls_head=dict(_base_.slic_head, _delete_=True),
)
