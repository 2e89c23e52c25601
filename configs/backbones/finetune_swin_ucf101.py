# Finetuning of Video Swin-T, from a checkpoint of slic_swin_ucf101.py:
#   python tools/train.py configs/backbones/finetune_swin_ucf101.py \
#       --cfg-options load_from=CHECKPOINT
_base_ = [
    "mmaction::_base_/models/swin_tiny.py",
    "../_base_/datasets/ucf101_finetune_32x2_224.py",
    "../_base_/schedules/coclr_finetune_150e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(pretrained2d=False),
    cls_head=dict(num_classes=101),
)
