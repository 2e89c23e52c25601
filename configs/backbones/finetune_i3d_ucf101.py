# Finetuning of I3D, from a checkpoint of slic_i3d_ucf101.py:
#   python tools/train.py configs/backbones/finetune_i3d_ucf101.py \
#       --cfg-options load_from=CHECKPOINT
_base_ = [
    "mmaction::_base_/models/i3d_r50.py",
    "../_base_/datasets/ucf101_finetune_32x2_224.py",
    "../_base_/schedules/coclr_finetune_150e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(pretrained=None, pretrained2d=False),
    cls_head=dict(num_classes=101),
)
