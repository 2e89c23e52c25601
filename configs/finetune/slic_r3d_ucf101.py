# Finetuning on UCF101 split 1 from a pretrained checkpoint, and its ten-crop test:
#   python tools/train.py configs/finetune/slic_r3d_ucf101.py --cfg-options load_from=CHECKPOINT
#   python tools/test.py configs/finetune/slic_r3d_ucf101.py FINETUNED_CHECKPOINT
_base_ = [
    "../_base_/models/r3d18_classifier_device_aug.py",
    "../_base_/datasets/ucf101_finetune_device_aug.py",
    "../_base_/schedules/coclr_finetune_150e.py",
    "../_base_/gpu_runtime.py",
]
work_dir = "work_dirs/finetune/{{ fileBasenameNoExtension }}"
