# UCF101 split 1 for classification. Clips and augmentation are those of CoCLR's finetuning (Han et
# al., NeurIPS 2020). Crops of 128 pixels are taken at a short side of 146, as theirs of 224 at 256.
train_pipeline = [
    dict(type="OpenVideo"),
    dict(type="SampleFrames", clip_len=16, frame_interval=1, num_clips=1),
    dict(type="DecodeFrames"),
    dict(
        type="ClipAugment",
        size=128,
        area_range=(0.2, 1.0),
        flip_prob=0.5,
        brightness=0.4,
        contrast=0.4,
        saturation=0.4,
        hue=0.1,
        jitter_prob=0.3,
        gray_prob=0.0,
        blur_prob=0.0,
    ),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]
# To watch a run: the centre of the centre clip.
val_pipeline = [
    dict(type="OpenVideo"),
    dict(type="SampleFrames", clip_len=16, frame_interval=1, num_clips=1, test_mode=True),
    dict(type="DecodeFrames"),
    dict(type="Resize", scale=(-1, 146)),
    dict(type="CenterCrop", crop_size=128),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]
# The paper's test: 10 clips and ten crops of each, 100 views of a video.
test_pipeline = [
    dict(type="OpenVideo"),
    dict(type="SampleFrames", clip_len=16, frame_interval=1, num_clips=10, test_mode=True),
    dict(type="DecodeFrames"),
    dict(type="Resize", scale=(-1, 146)),
    dict(type="TenCrop", crop_size=128),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]
val_split = dict(
    type="VideoDataset",
    ann_file="data/ucf101/ucf101_val_split_1_videos.txt",
    data_prefix=dict(video="data/ucf101/videos"),
    test_mode=True,
)

train_dataloader = dict(
    batch_size=32,  # over all GPUs: with W of them set 32 / W
    num_workers=8,
    # Others repeat their draws in every epoch: MMEngine seeds a worker when it starts.
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="VideoDataset",
        ann_file="data/ucf101/ucf101_train_split_1_videos.txt",
        data_prefix=dict(video="data/ucf101/videos"),
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    batch_size=32,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(pipeline=val_pipeline, **val_split),
)
test_dataloader = dict(
    batch_size=1,  # of 100 views
    num_workers=8,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(pipeline=test_pipeline, **val_split),
)
# No checkpoint is chosen by these: the last one counts.
val_evaluator = dict(type="AccMetric", prefix="finetune/center")
test_evaluator = dict(type="AccMetric", prefix="finetune/10clip_tencrop")
