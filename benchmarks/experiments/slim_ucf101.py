# mypy: ignore-errors
"""SLIC for two CPU cores: docs/experiments.md. Every arm differs from this in one thing."""

# configs/slic_r3d_slim_ucf101.py with decoded videos kept, and evaluated from checkpoints.
_base_ = "../../configs/slic_r3d_slim_ucf101.py"

open_video = dict(
    type="CachedVideo", path="work_dirs/experiments/frames", max_bytes=12 << 30, short_side=96
)
embed_pipeline = [open_video, *_base_.embed_pipeline[1:]]

# Max-pooling after the stem, as Hara et al. have it and the paper's network has not: 2.5 times
# as many epochs in the same time.
model = dict(backbone=dict(with_pool1=True))
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(pipeline=[open_video, *_base_.train_pipeline[1:]]),
)
# What evaluate.py reads; a training here is not interrupted by validations.
evaluation_dataset = dict(
    _base_.val_dataloader.dataset, pipeline=[open_video, *_base_.retrieval_pipeline[1:]]
)
val_dataloader = None
val_evaluator = None
val_cfg = None

# Loader workers of evaluate.py.
evaluation_workers = 0

custom_hooks = [
    dict(
        type="PseudoLabelHook",
        clusterer=dict(type="FINCH", level=0),
        interval=5,
        pipeline=embed_pipeline,
        batch_size=32,
        num_workers=0,
    )
]
train_cfg = dict(max_epochs=20, val_interval=1000)
default_hooks = dict(checkpoint=dict(interval=10, max_keep_ckpts=-1), logger=dict(interval=9))
