# SLIC with SlowFast (4x16, ResNet-50).
_base_ = [
    "mmaction::_base_/models/slowfast_r50.py",
    "../_base_/heads/slic_head.py",
    "../_base_/datasets/ucf101_slic_32x2_224.py",
    "../_base_/schedules/slic_sgd_600e.py",
    "../_base_/default_runtime.py",
]

model = dict(cls_head=dict(_base_.slic_head, _delete_=True))
