# SLIC with MobileNetV2 on single frames, a Recognizer2D like TSN. From scratch;
# docs/backbones_weights.md says how to begin with weights of the zoo.
_base_ = [
    "mmaction::_base_/models/tsn_r50.py",
    "../_base_/heads/slic_head.py",
    "../_base_/datasets/ucf101_slic_8x8_224_frames.py",
    "../_base_/schedules/slic_sgd_600e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(type="MobileNetV2", pretrained=None, _delete_=True),
    cls_head=dict(_base_.slic_head, num_segments=8, _delete_=True),
)
