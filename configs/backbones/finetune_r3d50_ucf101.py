# Finetuning of R3D-50, from a checkpoint of slic_r3d50_ucf101.py:
#   python tools/train.py configs/backbones/finetune_r3d50_ucf101.py \
#       --cfg-options load_from=CHECKPOINT
_base_ = [
    "../_base_/models/r3d18_classifier_device_aug.py",
    "../_base_/datasets/ucf101_finetune_device_aug.py",
    "../_base_/schedules/coclr_finetune_150e.py",
    "../_base_/gpu_runtime.py",
]

model = dict(
    backbone=dict(depth=50),
    cls_head=dict(num_classes=101, in_channels=2048),
)
