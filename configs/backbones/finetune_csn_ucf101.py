# Finetuning of ir-CSN-152, from a checkpoint of slic_csn_ucf101.py:
#   python tools/train.py configs/backbones/finetune_csn_ucf101.py \
#       --cfg-options load_from=CHECKPOINT
_base_ = [
    "mmaction::_base_/models/ircsn_r152.py",
    "../_base_/datasets/ucf101_finetune_32x2_224.py",
    "../_base_/schedules/coclr_finetune_150e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    cls_head=dict(num_classes=101),
    test_cfg=dict(_delete_=True),  # the zoo's max_testing_views takes one video at a time
)
