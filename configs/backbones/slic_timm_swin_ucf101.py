# SLIC with any 2D network of timm, here its Swin-B, on single frames. Needs `pip install timm`;
# backbone=dict(pretrained=True) begins with timm's weights.
_base_ = [
    "mmaction::_base_/models/tsn_r50.py",
    "../_base_/heads/slic_head.py",
    "../_base_/datasets/ucf101_slic_8x8_224_frames.py",
    "../_base_/schedules/slic_sgd_600e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(type="timm.swin_base_patch4_window7_224", feature_shape="NHWC", _delete_=True),
    cls_head=dict(_base_.slic_head, num_segments=8, _delete_=True),
)
