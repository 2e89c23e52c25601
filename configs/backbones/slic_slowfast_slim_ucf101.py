# SlowFast on UCF101 for machines without a GPU: ResNet-18, a quarter of the width, 16 frames of 56
# pixels, of which the slow pathway sees four. Not a setting of the zoo; for trying things out.
_base_ = "slic_slowfast_ucf101.py"

clip = dict(clip_len=16, frame_interval=2)
other = dict(
    SampleViewFrames=clip,
    SampleFrames=clip,
    SampleProtocolClips=clip,
    ClipAugment=dict(size=56, blur_kernel=7, blur_sigma=1.0),
    Resize=dict(scale=(-1, 56)),
    CenterCrop=dict(crop_size=56),
)
test_other = dict(other, Resize=dict(scale=(75, 56)))

train_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.train_pipeline]
embed_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.embed_pipeline]
retrieval_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.retrieval_pipeline]
test_pipeline = [dict(step, **test_other.get(step.type, {})) for step in _base_.test_pipeline]

train_dataloader = dict(num_workers=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=retrieval_pipeline))
test_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
train_cfg = dict(max_epochs=20, val_interval=5)
custom_hooks = [
    dict(type="InitialValidationHook"),
    dict(_base_.custom_hooks[0], pipeline=embed_pipeline, num_workers=1),
]

model = dict(
    backbone=dict(
        resample_rate=4,
        speed_ratio=4,
        slow_pathway=dict(depth=18, base_channels=16),
        fast_pathway=dict(depth=18, base_channels=2),
    ),
    cls_head=dict(hidden_channels=512),
)
