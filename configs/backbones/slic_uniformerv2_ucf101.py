# SLIC with UniFormerV2-B/16. The zoo spreads its 8 frames over the whole video; here, where a
# video's beginning and another part of it are to be told apart, they are a window of 64 frames.
# From scratch; docs/backbones_weights.md says how to begin with weights of the zoo.
_base_ = [
    "../_base_/models/uniformerv2_base.py",
    "../_base_/heads/slic_head.py",
    "../_base_/datasets/ucf101_slic_8x8_224.py",
    "../_base_/schedules/slic_adamw_600e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(clip_pretrained=False, pretrained=None),
    cls_head=dict(_base_.slic_head, _delete_=True),
)
