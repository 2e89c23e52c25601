# Finetuning on HMDB51 split 1 from a pretrained checkpoint; see slic_r3d_ucf101.py.
_base_ = [
    "../_base_/models/r3d18_classifier_device_aug.py",
    "../_base_/datasets/hmdb51_finetune.py",
    "../_base_/schedules/coclr_finetune_150e.py",
    "../_base_/gpu_runtime.py",
]

model = dict(cls_head=dict(num_classes=51))
work_dir = "work_dirs/finetune/{{ fileBasenameNoExtension }}"
