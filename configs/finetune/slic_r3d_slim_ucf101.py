# Finetuning of slic_r3d_slim_ucf101.py on UCF101 split 1, for machines without a GPU.
# Not the paper's setting; for trying things out.
_base_ = [
    "../_base_/models/r3d18_classifier.py",
    "../_base_/datasets/ucf101_finetune.py",
    "../_base_/schedules/coclr_finetune_150e.py",
    "../_base_/default_runtime.py",
]

clip = dict(clip_len=8, frame_interval=2)
decode = dict(type="DecodeFrames")
end = _base_.test_pipeline[5:]
train_pipeline = [
    dict(type="OpenVideo"),
    dict(type="SampleFrames", num_clips=1, **clip),
    decode,
    dict(_base_.train_pipeline[3], size=56),
    *end,
]
val_pipeline = [
    dict(type="OpenVideo"),
    dict(type="SampleFrames", num_clips=1, test_mode=True, **clip),
    decode,
    dict(type="Resize", scale=(-1, 64)),
    dict(type="CenterCrop", crop_size=56),
    *end,
]
test_pipeline = [
    dict(type="OpenVideo"),
    dict(type="SampleFrames", num_clips=4, test_mode=True, **clip),
    decode,
    dict(type="Resize", scale=(-1, 64)),
    dict(type="TenCrop", crop_size=56),
    *end,
]

model = dict(backbone=dict(base_channels=16), cls_head=dict(in_channels=128))
train_dataloader = dict(num_workers=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
test_evaluator = dict(prefix="finetune/4clip_tencrop")
train_cfg = dict(max_epochs=30, val_interval=5)
param_scheduler = [dict(type="MultiStepLR", milestones=[12, 20], gamma=0.1, by_epoch=True)]
work_dir = "work_dirs/finetune/{{ fileBasenameNoExtension }}"
