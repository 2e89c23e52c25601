# mypy: ignore-errors
"""The experiments' clips at 32 pixels, for many arms: half the time of an epoch at 56."""

_base_ = "slim_ucf101.py"

smaller = dict(
    ClipAugment=dict(size=32, blur_kernel=5, blur_sigma=0.6),
    Resize=dict(scale=(-1, 32)),
    CenterCrop=dict(crop_size=32),
)
train_pipeline = [
    dict(step, **smaller.get(step.type, {})) for step in _base_.train_dataloader.dataset.pipeline
]
embed_pipeline = [
    dict(step, **smaller.get(step.type, {})) for step in _base_.custom_hooks[0].pipeline
]
retrieval_pipeline = [
    dict(step, **smaller.get(step.type, {})) for step in _base_.evaluation_dataset.pipeline
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
evaluation_dataset = dict(pipeline=retrieval_pipeline)

custom_hooks = [
    dict(_base_.custom_hooks[0], pipeline=embed_pipeline),
    # The evaluated weights are the average over about five epochs: a single epoch's weights vary as
    # much as seeds do. The training itself is not changed by it.
    dict(type="EMAHook", momentum=0.01, update_buffers=True),
]
