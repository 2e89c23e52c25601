# TSM on UCF101 for machines without a GPU: ResNet-18 and 8 frames of 40 pixels; its class has no
# width to set. Not a setting of the paper or the zoo; for trying things out.
_base_ = "slic_tsm_ucf101.py"

clip = dict(clip_len=8, frame_interval=2)
other = dict(
    SampleViewFrames=clip,
    SampleFrames=clip,
    SampleProtocolClips=clip,
    ClipAugment=dict(size=40, blur_kernel=5, blur_sigma=1.0),
    Resize=dict(scale=(-1, 40)),
    CenterCrop=dict(crop_size=40),
)
test_other = dict(other, Resize=dict(scale=(53, 40)))

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

model = dict(backbone=dict(depth=18), cls_head=dict(hidden_channels=512))
