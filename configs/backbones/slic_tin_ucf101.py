# SLIC with TIN (ResNet-50), a Recognizer2D. Its shift is an operator of the full mmcv on a GPU
# (mmcv-lite has none), so the width of its feature cannot be tried out and is given. From scratch;
# docs/backbones_weights.md says how to begin with weights of the zoo.
_base_ = [
    "mmaction::_base_/models/tin_r50.py",
    "../_base_/heads/slic_head.py",
    "../_base_/datasets/ucf101_slic_8x8_224_frames.py",
    "../_base_/schedules/slic_sgd_600e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(pretrained=None),
    cls_head=dict(_base_.slic_head, num_segments=8, in_channels=2048, _delete_=True),
)
