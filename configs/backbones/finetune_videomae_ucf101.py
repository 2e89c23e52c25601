# Finetuning of VideoMAE's ViT-B, from a checkpoint of slic_videomae_ucf101.py:
#   python tools/train.py configs/backbones/finetune_videomae_ucf101.py \
#       --cfg-options load_from=CHECKPOINT
_base_ = [
    "../_base_/models/videomae_base.py",
    "../_base_/datasets/ucf101_finetune_16x4_224.py",
    "../_base_/schedules/coclr_finetune_150e.py",
    "../_base_/default_runtime.py",
]

model = dict(cls_head=dict(num_classes=101))
