# Clusters of videos that move alike, on the generated videos of tools/demo: `make demo`.
# Small enough for two CPU cores.
_base_ = ["../_base_/models/slic_r3d18.py", "../_base_/default_runtime.py"]

root = "work_dirs/demo/moving_patches"
clip = dict(clip_len=8)

model = dict(
    backbone=dict(
        base_channels=8,
        stage_blocks=(1, 1, 1, 1),
        conv1_kernel=(3, 7, 7),
        spatial_strides=(2, 2, 2, 2),
    ),
    cls_head=dict(
        in_channels=64,
        hidden_channels=256,
        out_channels=64,
        losses=[dict(type="PseudoLabelInfoNCELoss", temperature=0.1)],
    ),
)
train_pipeline = [
    dict(type="OpenVideo"),
    dict(type="SampleViewFrames", **clip),
    dict(type="DecodeFrames"),
    dict(
        type="ClipAugment",
        size=32,
        area_range=(0.7, 1.0),
        brightness=0.2,
        contrast=0.2,
        saturation=0.2,
        hue=0.1,
        blur_prob=0.0,
    ),
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
train_set = dict(type="VideoDataset", ann_file=f"{root}/train.txt", data_prefix=dict(video=root))
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="ClusterAwareDataset",
        p_same_video=0.5,
        dataset=train_set,
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=64,
    num_workers=0,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="RetrievalDataset",
        query=dict(train_set, ann_file=f"{root}/test.txt"),
        gallery=train_set,
        pipeline=retrieval_pipeline,
    ),
)
val_evaluator = dict(type="VideoRetrievalMetric")
val_cfg = dict(type="ValLoop")
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict(type="TestLoop")

optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="AdamW", lr=1e-3, weight_decay=0.05))
param_scheduler = []
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=32, val_interval=16)
custom_hooks = [
    dict(type="InitialValidationHook"),
    # Labels once, before the first epoch: of how the videos move, which does not change.
    dict(
        type="PseudoLabelHook",
        clusterer=dict(type="FINCH", level=1),
        descriptors=f"{root}/motion.npz",
        pipeline=[],
    ),
]
default_hooks = dict(logger=dict(interval=4), checkpoint=dict(interval=1000, save_last=True))
