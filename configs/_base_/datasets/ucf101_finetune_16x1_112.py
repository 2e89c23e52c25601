# ucf101_finetune.py with frames of 112 pixels:
# crops out of a short side of 128.
_base_ = "ucf101_finetune.py"

# What differs, by the transform.
other = dict(
    ClipAugment=dict(size=112),
    Resize=dict(scale=(-1, 128)),
    CenterCrop=dict(crop_size=112),
    TenCrop=dict(crop_size=112),
)

train_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.train_pipeline]
val_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.val_pipeline]
test_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.test_pipeline]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
