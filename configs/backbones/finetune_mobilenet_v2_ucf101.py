# Finetuning of MobileNetV2, from a checkpoint of slic_mobilenet_v2_ucf101.py:
#   python tools/train.py configs/backbones/finetune_mobilenet_v2_ucf101.py \
#       --cfg-options load_from=CHECKPOINT
_base_ = [
    "mmaction::_base_/models/tsn_r50.py",
    "../_base_/datasets/ucf101_finetune_8x8_224_frames.py",
    "../_base_/schedules/coclr_finetune_150e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(type="MobileNetV2", pretrained=None, _delete_=True),
    cls_head=dict(num_classes=101, in_channels=1280),
)
