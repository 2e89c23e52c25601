# SLIC with any 2D network of MMPretrain, here ResNeXt-101, on single frames. Needs `pip install
# mmpretrain`.
_base_ = [
    "mmaction::_base_/models/tsn_r50.py",
    "../_base_/heads/slic_head.py",
    "../_base_/datasets/ucf101_slic_8x8_224_frames.py",
    "../_base_/schedules/slic_sgd_600e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(
        type="mmpretrain.ResNeXt", depth=101, groups=32, width_per_group=4, _delete_=True
    ),
    cls_head=dict(_base_.slic_head, num_segments=8, _delete_=True),
)
