# SLIC with R(2+1)D-34. The zoo's SyncBN runs on a CPU in one process only; there set
# backbone.norm_cfg=dict(type='BN3d', eps=1e-3).
_base_ = [
    "mmaction::_base_/models/r2plus1d_r34.py",
    "../_base_/heads/slic_head.py",
    "../_base_/datasets/ucf101_slic_8x8_224.py",
    "../_base_/schedules/slic_sgd_600e.py",
    "../_base_/default_runtime.py",
]

model = dict(cls_head=dict(_base_.slic_head, _delete_=True))
