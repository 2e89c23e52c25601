# SLIC with X3D-M, whose networks S and M differ in their clips only.
_base_ = [
    "mmaction::_base_/models/x3d.py",
    "../_base_/heads/slic_head.py",
    "../_base_/datasets/ucf101_slic_16x5_224.py",
    "../_base_/schedules/slic_sgd_600e.py",
    "../_base_/default_runtime.py",
]

model = dict(cls_head=dict(_base_.slic_head, _delete_=True))
