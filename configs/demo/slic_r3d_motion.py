# SLIC on the made-up videos of tools/demo, small enough for two CPU cores: `make demo`.
_base_ = ["../_base_/models/slic_r3d18.py", "../_base_/default_runtime.py"]

root = "work_dirs/demo/videos"
clip = dict(clip_len=8)

model = dict(
    backbone=dict(
        base_channels=8,
        stage_blocks=(1, 1, 1, 1),
        conv1_kernel=(3, 7, 7),
        spatial_strides=(2, 2, 2, 2),
    ),
    cls_head=dict(in_channels=64, hidden_channels=256, out_channels=64),
)
train_pipeline = [
    dict(type="OpenVideo"),
    dict(type="SampleViewFrames", **clip),
    dict(type="DecodeFrames"),
    dict(
        type="ClipAugment",
        size=32,
        area_range=(0.5, 1.0),
        jitter_prob=1.0,
        gray_prob=0.3,
        blur_kernel=5,
        blur_sigma=1.0,
        blur_prob=0.2,
    ),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]
embed_pipeline = [
    dict(type="OpenVideo"),
    dict(type="SampleFrames", **clip, num_clips=1, test_mode=True),
    dict(type="DecodeFrames"),
    dict(type="Resize", scale=(32, 32), interpolation="area"),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]
retrieval_pipeline = [
    dict(type="OpenVideo"),
    dict(type="SampleProtocolClips", protocol="iic", num_clips=4, **clip),
    dict(type="DecodeFrames"),
    dict(type="Resize", scale=(32, 32), interpolation="area"),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs", meta_keys=("protocol",)),
]
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="ClusterAwareDataset",
        p_same_video=0.5,
        dataset=dict(
            type="VideoDataset", ann_file=f"{root}/train.txt", data_prefix=dict(video=root)
        ),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="RetrievalDataset",
        query=dict(type="VideoDataset", ann_file=f"{root}/test.txt", data_prefix=dict(video=root)),
        gallery=dict(
            type="VideoDataset", ann_file=f"{root}/train.txt", data_prefix=dict(video=root)
        ),
        pipeline=retrieval_pipeline,
    ),
)
val_evaluator = dict(type="VideoRetrievalMetric", out_file="work_dirs/demo/slic/neighbors.npz")
val_cfg = dict(type="ValLoop")

optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.3, momentum=0.9))
param_scheduler = []
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=70, val_interval=14)
custom_hooks = [
    dict(type="InitialValidationHook"),
    dict(
        type="PseudoLabelHook",
        clusterer=dict(type="FINCH", level=0),
        interval=10,
        pipeline=embed_pipeline,
        batch_size=64,
        num_workers=0,
    ),
]
default_hooks = dict(logger=dict(interval=4), checkpoint=dict(interval=1000, save_last=True))
