# SLIC with TimeSformer (divided attention). The zoo takes 8 frames of 256; few videos of UCF101 are
# that long, and anchor and positive would be the same frames: here they are of 64. From scratch;
# docs/backbones_weights.md says how to begin with weights of the zoo.
_base_ = [
    "../_base_/models/timesformer_divst.py",
    "../_base_/heads/slic_head.py",
    "../_base_/datasets/ucf101_slic_8x8_224.py",
    "../_base_/schedules/slic_adamw_600e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(pretrained=None),
    cls_head=dict(_base_.slic_head, _delete_=True),
)
