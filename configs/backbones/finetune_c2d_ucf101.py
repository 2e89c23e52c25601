# Finetuning of C2D, from a checkpoint of slic_c2d_ucf101.py:
#   python tools/train.py configs/backbones/finetune_c2d_ucf101.py \
#       --cfg-options load_from=CHECKPOINT
_base_ = [
    "mmaction::_base_/models/c2d_r50.py",
    "../_base_/datasets/ucf101_finetune_8x8_224.py",
    "../_base_/schedules/coclr_finetune_150e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(pretrained=None),
    cls_head=dict(num_classes=101),
)
