# Finetuning of R(2+1)D-34, from a checkpoint of slic_r2plus1d_ucf101.py:
#   python tools/train.py configs/backbones/finetune_r2plus1d_ucf101.py \
#       --cfg-options load_from=CHECKPOINT
_base_ = [
    "mmaction::_base_/models/r2plus1d_r34.py",
    "../_base_/datasets/ucf101_finetune_8x8_224.py",
    "../_base_/schedules/coclr_finetune_150e.py",
    "../_base_/default_runtime.py",
]

model = dict(cls_head=dict(num_classes=101))
