# SLIC with any 2D network of torchvision, here DenseNet-161, on single frames. Needs torchvision;
# backbone=dict(weights='DEFAULT') begins with its weights.
_base_ = [
    "mmaction::_base_/models/tsn_r50.py",
    "../_base_/heads/slic_head.py",
    "../_base_/datasets/ucf101_slic_8x8_224_frames.py",
    "../_base_/schedules/slic_sgd_600e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(type="torchvision.densenet161", _delete_=True),
    cls_head=dict(_base_.slic_head, num_segments=8, _delete_=True),
)
