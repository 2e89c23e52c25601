# mypy: ignore-errors
"""EfficientNet-lite0 with ImageNet weights, on clips of 8 frames of 112 pixels."""

_base_ = "slim_ucf101.py"

custom_imports = dict(imports=["slic_mmaction", "image_weights"], allow_failed_imports=False)
model = dict(
    _delete_=True,
    type="Recognizer2D",
    backbone=dict(type="EfficientNetLite0", frozen_blocks=11),
    cls_head=dict(
        type="SLICHead",
        in_channels=1280,
        hidden_channels=512,
        num_segments=8,
        losses=_base_.model.cls_head.losses,
    ),
    data_preprocessor=dict(
        type="ActionDataPreprocessor", mean=[127.0] * 3, std=[128.0] * 3, format_shape="NCHW"
    ),
)
clip = dict(clip_len=8, frame_interval=4)
other = dict(
    SampleViewFrames=clip,
    SampleFrames=clip,
    SampleProtocolClips=clip,
    ClipAugment=dict(size=112, blur_kernel=13, blur_sigma=2.0),
    Resize=dict(scale=(-1, 112)),
    CenterCrop=dict(crop_size=112),
    FormatShape=dict(input_format="NCHW"),
)
open_video = dict(type="OpenVideo")
train_pipeline = [open_video] + [
    dict(step, **other.get(step.type, {})) for step in _base_.train_dataloader.dataset.pipeline[1:]
]
embed_pipeline = [open_video] + [
    dict(step, **other.get(step.type, {})) for step in _base_.custom_hooks[0].pipeline[1:]
]
retrieval_pipeline = [open_video] + [
    dict(step, **other.get(step.type, {})) for step in _base_.evaluation_dataset.pipeline[1:]
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
evaluation_dataset = dict(pipeline=retrieval_pipeline)
custom_hooks = [
    dict(_base_.custom_hooks[0], pipeline=embed_pipeline, interval=2),
    dict(type="ChannelsLastHook"),
]
optim_wrapper = dict(
    optimizer=dict(_delete_=True, type="AdamW", lr=1e-3, weight_decay=0.05),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
)
train_cfg = dict(max_epochs=10, val_interval=1000)
default_hooks = dict(checkpoint=dict(interval=10), logger=dict(interval=3))
