# Finetuning of UniFormer-S, from a checkpoint of slic_uniformer_ucf101.py:
#   python tools/train.py configs/backbones/finetune_uniformer_ucf101.py \
#       --cfg-options load_from=CHECKPOINT
_base_ = [
    "../_base_/models/uniformer_small.py",
    "../_base_/datasets/ucf101_finetune_16x4_224.py",
    "../_base_/schedules/coclr_finetune_150e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(pretrained2d=False),
    cls_head=dict(num_classes=101),
)
