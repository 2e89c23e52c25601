# mypy: ignore-errors
# SLIC on the six classes of ucf101_6 for one large GPU: half of R3D-18's width, 8 frames of
# 112x112, so that hundreds of epochs of several arms fit into minutes. Not the paper's setting.
# Frames are decoded once and kept. The paths of videos and frames come from pretraining.py.
_base_ = "../../configs/slic_r3d_ucf101.py"

open_video = dict(
    type="CachedVideo", path="work_dirs/gpu/frames", max_bytes=24 << 30, short_side=128
)
clip = dict(clip_len=8, frame_interval=2)
smaller = dict(
    SampleViewFrames=clip,
    SampleFrames=clip,
    SampleProtocolClips=dict(protocol="iic", num_clips=10, **clip),
    ClipRandomResizedCrop=dict(size=112),
    ClipAugment=dict(size=112),
    Resize=dict(scale=(-1, 112), keep_ratio=True),
    CenterCrop=dict(crop_size=112),
)
train_pipeline = [
    open_video,
    *(dict(step, **smaller.get(step.type, {})) for step in _base_.train_pipeline[1:]),
]
embed_pipeline = [
    open_video,
    *(dict(step, **smaller.get(step.type, {})) for step in _base_.embed_pipeline[1:]),
]
evaluation_pipeline = [
    open_video,
    *(dict(step, **smaller.get(step.type, {})) for step in _base_.retrieval_pipeline[1:]),
]

model = dict(
    backbone=dict(base_channels=32),
    cls_head=dict(in_channels=256, hidden_channels=1024),
)
train_dataloader = dict(num_workers=6, dataset=dict(pipeline=train_pipeline))
# Read by benchmarks/experiments/evaluate.py; a training here is not interrupted by validations.
evaluation_dataset = dict(_base_.val_dataloader.dataset, pipeline=evaluation_pipeline)
evaluation_workers = 6
val_dataloader = None
val_evaluator = None
val_cfg = None

custom_hooks = [dict(_base_.custom_hooks[0], pipeline=embed_pipeline, batch_size=64, num_workers=6)]
train_cfg = dict(max_epochs=200, val_interval=100000)
default_hooks = dict(checkpoint=dict(interval=50, max_keep_ckpts=-1))
