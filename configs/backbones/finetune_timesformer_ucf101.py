# Finetuning of TimeSformer, from a checkpoint of slic_timesformer_ucf101.py:
#   python tools/train.py configs/backbones/finetune_timesformer_ucf101.py \
#       --cfg-options load_from=CHECKPOINT
_base_ = [
    "../_base_/models/timesformer_divst.py",
    "../_base_/datasets/ucf101_finetune_8x8_224.py",
    "../_base_/schedules/coclr_finetune_150e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(pretrained=None),
    cls_head=dict(num_classes=101),
)
