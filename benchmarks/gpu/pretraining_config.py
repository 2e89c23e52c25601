# mypy: ignore-errors
# SLIC on the six classes of ucf101_6 for one large GPU: half of R3D-18's width, 8 frames of
# 112x112, so that hundreds of epochs of several arms fit into minutes. Not the paper's setting.
# Frames are decoded once and kept; colours and blur are changed on the device. The paths of videos
# and frames come from pretraining.py.
_base_ = "../../configs/slic_r3d_ucf101_device_aug.py"

open_video = dict(
    type="CachedVideo", path="work_dirs/gpu/frames", max_bytes=24 << 30, short_side=128
)
clip = dict(clip_len=8, frame_interval=2)
centre = [
    dict(type="DecodeFrames"),
    dict(type="Resize", scale=(-1, 112)),
    dict(type="CenterCrop", crop_size=112),
    dict(type="FormatShape", input_format="NCTHW"),
]
train_pipeline = [
    open_video,
    dict(type="SampleViewFrames", **clip),
    dict(type="DecodeFrames"),
    dict(type="ClipAugment", size=112, area_range=(0.25, 1.0), on_device=True),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs", meta_keys=("modalities", "clip_draws")),
]
embed_pipeline = [
    open_video,
    dict(type="SampleFrames", **clip, num_clips=1, test_mode=True),
    *centre,
    dict(type="PackActionInputs"),
]
evaluation_pipeline = [
    open_video,
    dict(type="SampleProtocolClips", protocol="iic", num_clips=10, **clip),
    *centre,
    dict(type="PackActionInputs", meta_keys=("protocol",)),
]

model = dict(
    backbone=dict(base_channels=32),
    cls_head=dict(in_channels=256, hidden_channels=1024),
)
train_dataloader = dict(num_workers=3, dataset=dict(pipeline=train_pipeline))
# Read by benchmarks/experiments/evaluate.py; a training here is not interrupted by validations.
evaluation_dataset = dict(_base_.val_dataloader.dataset, pipeline=evaluation_pipeline)
evaluation_workers = 3
val_dataloader = None
val_evaluator = None
val_cfg = None

# The first hook is the one that arms change.
custom_hooks = [
    dict(
        type="PseudoLabelHook",
        clusterer=dict(type="FINCH", level=0),
        interval=5,
        pipeline=embed_pipeline,
        batch_size=64,
        num_workers=3,
    ),
    dict(type="ChannelsLastHook"),
]
optim_wrapper = dict(type="AmpOptimWrapper", dtype="bfloat16")
train_cfg = dict(max_epochs=200, val_interval=100000)
default_hooks = dict(checkpoint=dict(interval=50, max_keep_ckpts=-1))
env_cfg = dict(cudnn_benchmark=True)
