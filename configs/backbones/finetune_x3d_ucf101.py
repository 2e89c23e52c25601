# Finetuning of X3D-M, from a checkpoint of slic_x3d_ucf101.py:
#   python tools/train.py configs/backbones/finetune_x3d_ucf101.py \
#       --cfg-options load_from=CHECKPOINT
_base_ = [
    "mmaction::_base_/models/x3d.py",
    "../_base_/datasets/ucf101_finetune_16x5_224.py",
    "../_base_/schedules/coclr_finetune_150e.py",
    "../_base_/default_runtime.py",
]

model = dict(cls_head=dict(num_classes=101))
