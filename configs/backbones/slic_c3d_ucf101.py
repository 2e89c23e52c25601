# SLIC with C3D, which takes clips of 16 frames of 112 pixels and no others. From scratch;
# docs/backbones_weights.md says how to begin with weights of the zoo.
_base_ = [
    "mmaction::_base_/models/c3d_sports1m_pretrained.py",
    "../_base_/heads/slic_head.py",
    "../_base_/datasets/ucf101_slic_16x1_112.py",
    "../_base_/schedules/slic_sgd_600e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(pretrained=None),
    cls_head=dict(_base_.slic_head, _delete_=True),
)
