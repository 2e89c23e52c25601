# Finetuning of torchvision's DenseNet-161, from a checkpoint of
# slic_torchvision_densenet_ucf101.py:
#   python tools/train.py configs/backbones/finetune_torchvision_densenet_ucf101.py \
#       --cfg-options load_from=CHECKPOINT
_base_ = [
    "mmaction::_base_/models/tsn_r50.py",
    "../_base_/datasets/ucf101_finetune_8x8_224_frames.py",
    "../_base_/schedules/coclr_finetune_150e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(type="torchvision.densenet161", _delete_=True),
    cls_head=dict(num_classes=101, in_channels=2208),
)
