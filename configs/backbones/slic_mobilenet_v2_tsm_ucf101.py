# SLIC with TSM in MobileNetV2, a Recognizer2D: 8 frames of a window are a clip. From scratch;
# docs/backbones_weights.md says how to begin with weights of the zoo.
_base_ = [
    "mmaction::_base_/models/tsm_mobilenet_v2.py",
    "../_base_/heads/slic_head.py",
    "../_base_/datasets/ucf101_slic_8x8_224_frames.py",
    "../_base_/schedules/slic_sgd_600e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(pretrained=None, pretrained2d=False),
    cls_head=dict(_base_.slic_head, num_segments=8, _delete_=True),
)
