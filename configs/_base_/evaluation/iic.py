# Protocol `iic`, the paper's: 10 clips evenly over each video, 171x128, centre crop 128.
test_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="RetrievalDataset",
        pipeline=[
            dict(type="OpenVideo"),
            dict(type="SampleProtocolClips", protocol="iic"),
            dict(type="DecodeFrames"),
            dict(type="Resize", scale=(171, 128), keep_ratio=False),
            dict(type="CenterCrop", crop_size=128),
            dict(type="FormatShape", input_format="NCTHW"),
            dict(type="PackActionInputs", meta_keys=("protocol",)),
        ],
    ),
)
# Features are kept for the next evaluation of the same weights; delete the folder at will.
test_cfg = dict(type="FeatureTestLoop", cache_dir="work_dirs/features")
