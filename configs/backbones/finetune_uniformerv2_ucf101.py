# Finetuning of UniFormerV2-B/16, from a checkpoint of slic_uniformerv2_ucf101.py:
#   python tools/train.py configs/backbones/finetune_uniformerv2_ucf101.py \
#       --cfg-options load_from=CHECKPOINT
_base_ = [
    "../_base_/models/uniformerv2_base.py",
    "../_base_/datasets/ucf101_finetune_8x8_224.py",
    "../_base_/schedules/coclr_finetune_150e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    backbone=dict(clip_pretrained=False, pretrained=None),
    cls_head=dict(num_classes=101),
)
