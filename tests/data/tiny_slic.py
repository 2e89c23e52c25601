# A SLIC config small enough for tests; tests/conftest.py fills in the paths.
_base_ = ["../../configs/_base_/models/slic_r3d18.py", "../../configs/_base_/default_runtime.py"]

model = dict(
    backbone=dict(base_channels=4),
    cls_head=dict(in_channels=32, hidden_channels=16, out_channels=8),
)
clip_len = 4
# Serializing collects garbage: half of the time of a tiny run.
videos = dict(type="VideoDataset", ann_file="", data_prefix=dict(video=""), serialize_data=False)
train_pipeline = [
    dict(type="OpenVideo"),
    dict(type="SampleViewFrames", clip_len=clip_len),
    dict(type="DecodeFrames"),
    dict(type="ClipAugment", size=16, gray_prob=0, blur_prob=0),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]
embed_pipeline = [
    dict(type="OpenVideo"),
    dict(type="SampleFrames", clip_len=clip_len, num_clips=1, test_mode=True),
    dict(type="DecodeFrames"),
    dict(type="Resize", scale=(16, 16), keep_ratio=False),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]
retrieval_pipeline = [
    dict(type="OpenVideo"),
    dict(type="SampleProtocolClips", protocol="center", clip_len=clip_len),
    dict(type="DecodeFrames"),
    dict(type="Resize", scale=(16, 16), keep_ratio=False),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs", meta_keys=("protocol",)),
]
train_dataloader = dict(
    batch_size=4,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="ClusterAwareDataset",
        dataset=videos,
        pipeline=train_pipeline,
        p_same_video=0.2,
    ),
)
val_dataloader = dict(
    batch_size=4,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="RetrievalDataset",
        query=videos,
        gallery=videos,
        pipeline=retrieval_pipeline,
    ),
)
val_evaluator = dict(type="VideoRetrievalMetric", ks=(1, 5))
val_cfg = dict(type="ValLoop")
test_dataloader = val_dataloader
test_evaluator = val_evaluator
test_cfg = dict(type="TestLoop")

optim_wrapper = dict(type="OptimWrapper", optimizer=dict(type="SGD", lr=0.05, momentum=0.5))
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=2, val_interval=100)
custom_hooks = [
    dict(
        type="PseudoLabelHook",
        clusterer=dict(type="FINCH", level=0),
        interval=1,
        pipeline=embed_pipeline,
        batch_size=4,
        num_workers=0,
    )
]
default_hooks = dict(checkpoint=dict(interval=1, max_keep_ckpts=-1))
vis_backends = [dict(type="LocalVisBackend")]
visualizer = dict(type="ActionVisualizer", vis_backends=vis_backends)
randomness = dict(seed=0)
