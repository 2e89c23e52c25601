# ucf101_slic_16x1_128.py with clips of 32 frames, every second one, of 224 pixels.
_base_ = "ucf101_slic_16x1_128.py"

clip = dict(clip_len=32, frame_interval=2)
# What differs, by the transform.
other = dict(
    SampleViewFrames=clip,
    SampleFrames=clip,
    SampleProtocolClips=clip,
    ClipAugment=dict(size=224, blur_kernel=25),
    Resize=dict(scale=(-1, 224)),
    CenterCrop=dict(crop_size=224),
)
# Protocol `iic` does not keep the aspect ratio.
test_other = dict(other, Resize=dict(scale=(299, 224)))

train_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.train_pipeline]
embed_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.embed_pipeline]
retrieval_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.retrieval_pipeline]
test_pipeline = [dict(step, **test_other.get(step.type, {})) for step in _base_.test_pipeline]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=retrieval_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
custom_hooks = [dict(_base_.custom_hooks[0], pipeline=embed_pipeline)]
