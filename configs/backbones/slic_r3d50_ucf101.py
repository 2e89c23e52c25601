# The paper's R3D with 50 layers; 18, 34, 101 and 152 are backbone=dict(depth=...) likewise. The
# 18 of the paper itself are in ../slic_r3d_ucf101.py.
_base_ = [
    "../_base_/models/slic_r3d18.py",
    "../_base_/heads/slic_head.py",
    "../_base_/datasets/ucf101_slic_16x1_128.py",
    "../_base_/schedules/slic_sgd_600e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(depth=50),
    cls_head=dict(_base_.slic_head, _delete_=True),
)
