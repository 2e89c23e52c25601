# Video Swin on UCF101 for machines without a GPU: 8 frames of 56 pixels, a third of the width and
# two blocks in each stage. Not a setting of the paper or the zoo; for trying things out.
_base_ = "slic_swin_ucf101.py"

clip = dict(clip_len=8, frame_interval=2)
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
        arch=dict(_delete_=True, embed_dims=32, depths=[2, 2, 2, 2], num_heads=[2, 4, 8, 16]),
        window_size=(4, 4, 4),
    ),
    cls_head=dict(hidden_channels=512),
)
