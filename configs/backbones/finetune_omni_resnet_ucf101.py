# Finetuning of OmniResNet-50, from a checkpoint of slic_omni_resnet_ucf101.py:
#   python tools/train.py configs/backbones/finetune_omni_resnet_ucf101.py \
#       --cfg-options load_from=CHECKPOINT
_base_ = [
    "../_base_/models/omni_resnet50.py",
    "../_base_/datasets/ucf101_finetune_8x8_224.py",
    "../_base_/schedules/coclr_finetune_150e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    type="Recognizer3D",
    data_preprocessor=dict(format_shape="NCTHW"),
    cls_head=dict(
        _delete_=True, type="I3DHead", num_classes=101, in_channels=2048, average_clips="prob"
    ),
)
