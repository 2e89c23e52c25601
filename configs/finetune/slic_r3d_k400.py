# Finetuning on Kinetics-400 from a checkpoint that was pretrained there; see slic_r3d_ucf101.py.
_base_ = [
    "../_base_/models/r3d18_classifier_device_aug.py",
    "../_base_/datasets/kinetics400_finetune.py",
    "../_base_/schedules/coclr_finetune_150e.py",
    "../_base_/gpu_runtime.py",
]

model = dict(
    cls_head=dict(num_classes=400),
    data_preprocessor=dict(
        mean=[110.7975, 103.3005, 96.2625],
        std=[70.584, 69.1815, 69.7935],
    ),
)
work_dir = "work_dirs/finetune/{{ fileBasenameNoExtension }}"
