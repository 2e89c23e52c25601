# Finetuning of TSM in MobileOne-S4 (needs mmpretrain), from a checkpoint of
# slic_mobileone_tsm_ucf101.py:
#   python tools/train.py configs/backbones/finetune_mobileone_tsm_ucf101.py \
#       --cfg-options load_from=CHECKPOINT
_base_ = [
    "mmaction::_base_/models/tsm_mobileone_s4.py",
    "../_base_/datasets/ucf101_finetune_8x8_224_frames.py",
    "../_base_/schedules/coclr_finetune_150e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(pretrained2d=False, init_cfg=[dict(type="Kaiming", layer="Conv2d")]),
    cls_head=dict(num_classes=101),
)
