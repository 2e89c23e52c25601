# A classifier small enough for tests, on the backbone of tiny_slic.py; tests fill in the paths.
_base_ = [
    "../../configs/_base_/models/r3d18_classifier.py",
    "../../configs/_base_/schedules/coclr_finetune_150e.py",
    "../../configs/_base_/default_runtime.py",
]

model = dict(backbone=dict(base_channels=4), cls_head=dict(in_channels=32, num_classes=2))
pipeline = [
    dict(type="OpenVideo"),
    dict(type="SampleFrames", clip_len=4, num_clips=1, test_mode=True),
    dict(type="DecodeFrames"),
    dict(type="Resize", scale=(16, 16), keep_ratio=False),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(type="VideoDataset", ann_file="", data_prefix=dict(video=""), pipeline=pipeline),
)
val_dataloader = train_dataloader
test_dataloader = train_dataloader
val_evaluator = dict(type="AccMetric", prefix="finetune/center")
test_evaluator = val_evaluator
train_cfg = dict(max_epochs=1, val_interval=1)
default_hooks = dict(checkpoint=dict(interval=1))
vis_backends = [dict(type="LocalVisBackend")]
visualizer = dict(type="ActionVisualizer", vis_backends=vis_backends)
randomness = dict(seed=0)
