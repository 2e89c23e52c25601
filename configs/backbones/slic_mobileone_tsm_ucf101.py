# SLIC with TSM in MobileOne-S4, a Recognizer2D. Needs `pip install mmpretrain`. From scratch;
# docs/backbones_weights.md says how to begin with weights of the zoo.
_base_ = [
    "mmaction::_base_/models/tsm_mobileone_s4.py",
    "../_base_/heads/slic_head.py",
    "../_base_/datasets/ucf101_slic_8x8_224_frames.py",
    "../_base_/schedules/slic_sgd_600e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(pretrained2d=False, init_cfg=[dict(type="Kaiming", layer="Conv2d")]),
    cls_head=dict(_base_.slic_head, num_segments=8, _delete_=True),
)
