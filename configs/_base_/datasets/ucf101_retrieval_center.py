# While training: test videos among training videos by their centre clips (split 1).
retrieval_pipeline = [
    dict(type="OpenVideo"),
    dict(type="SampleProtocolClips", protocol="center"),
    dict(type="DecodeFrames"),
    dict(type="Resize", scale=(-1, 128)),
    dict(type="CenterCrop", crop_size=128),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs", meta_keys=("protocol",)),
]
val_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="RetrievalDataset",
        query=dict(
            type="VideoDataset",
            ann_file="data/ucf101/ucf101_val_split_1_videos.txt",
            data_prefix=dict(video="data/ucf101/videos"),
        ),
        gallery=dict(
            type="VideoDataset",
            ann_file="data/ucf101/ucf101_train_split_1_videos.txt",
            data_prefix=dict(video="data/ucf101/videos"),
        ),
        pipeline=retrieval_pipeline,
    ),
)
val_evaluator = dict(type="VideoRetrievalMetric", ks=(1, 5, 10, 20, 50))
val_cfg = dict(type="ValLoop")
