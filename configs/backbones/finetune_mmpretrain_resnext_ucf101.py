# Finetuning of MMPretrain's ResNeXt-101, from a checkpoint of slic_mmpretrain_resnext_ucf101.py:
#   python tools/train.py configs/backbones/finetune_mmpretrain_resnext_ucf101.py \
#       --cfg-options load_from=CHECKPOINT
_base_ = [
    "mmaction::_base_/models/tsn_r50.py",
    "../_base_/datasets/ucf101_finetune_8x8_224_frames.py",
    "../_base_/schedules/coclr_finetune_150e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(
        type="mmpretrain.ResNeXt", depth=101, groups=32, width_per_group=4, _delete_=True
    ),
    cls_head=dict(num_classes=101),
)
