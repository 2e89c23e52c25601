# ucf101_finetune.py with clips of 32 frames, every second one, of 224 pixels: crops out of a short
# side of 256. The test's 100 views of a video are seen at once. Where memory is short,
# --cfg-options model.test_cfg.max_testing_views=10 shows a Recognizer3D ten at a time.
_base_ = "ucf101_finetune.py"

# What differs, by the transform.
other = dict(
    SampleFrames=dict(clip_len=32, frame_interval=2),
    ClipAugment=dict(size=224),
    Resize=dict(scale=(-1, 256)),
    CenterCrop=dict(crop_size=224),
    TenCrop=dict(crop_size=224),
)

train_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.train_pipeline]
val_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.val_pipeline]
test_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.test_pipeline]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
