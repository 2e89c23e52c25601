# Protocol `coclr`: all clips of 16 frames one after the other, of the backbone's feature;
# queries and gallery are centred. See docs/evaluation.md for what CoCLR's own code does otherwise.
test_dataloader = dict(
    batch_size=2,  # a long video has a hundred clips
    num_workers=8,
    persistent_workers=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="RetrievalDataset",
        pipeline=[
            dict(type="OpenVideo"),
            dict(type="SampleProtocolClips", protocol="coclr"),
            dict(type="DecodeFrames"),
            dict(type="Resize", scale=(-1, 128)),
            dict(type="CenterCrop", crop_size=128),
            dict(type="FormatShape", input_format="NCTHW"),
            dict(type="PackActionInputs", meta_keys=("protocol",)),
        ],
    ),
)
test_cfg = dict(type="FeatureTestLoop", cache_dir="work_dirs/features")
