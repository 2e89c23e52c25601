# Finetuning of C3D, from a checkpoint of slic_c3d_ucf101.py:
#   python tools/train.py configs/backbones/finetune_c3d_ucf101.py \
#       --cfg-options load_from=CHECKPOINT
_base_ = [
    "mmaction::_base_/models/c3d_sports1m_pretrained.py",
    "../_base_/datasets/ucf101_finetune_16x1_112.py",
    "../_base_/schedules/coclr_finetune_150e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(pretrained=None),
    cls_head=dict(num_classes=101),
)
