# UCF101 split 1, laid out as MMAction2's users have it (data/ucf101/...), and its clustering.
data_root = "data/ucf101/videos"
ann_file_train = "data/ucf101/ucf101_train_split_1_videos.txt"

train_pipeline = [
    dict(type="OpenVideo"),
    dict(type="SampleViewFrames", clip_len=16),
    dict(type="DecodeFrames"),
    dict(
        type="ClipAugment",
        size=128,
        area_range=(0.25, 1.0),
        flip_prob=0.5,
        brightness=0.5,
        contrast=0.5,
        saturation=0.5,
        hue=0.5,
        jitter_prob=0.8,
        gray_prob=0.2,
        blur_kernel=15,
        blur_sigma=2.0,
        blur_prob=0.2,
    ),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]
# The centre clip, which is clustered.
embed_pipeline = [
    dict(type="OpenVideo"),
    dict(type="SampleFrames", clip_len=16, frame_interval=1, num_clips=1, test_mode=True),
    dict(type="DecodeFrames"),
    dict(type="Resize", scale=(-1, 128)),
    dict(type="CenterCrop", crop_size=128),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]

train_dataloader = dict(
    batch_size=32,  # over all GPUs: with W of them set 32 / W
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=True),
    dataset=dict(
        type="ClusterAwareDataset",
        p_same_video=0.2,
        dataset=dict(
            type="VideoDataset", ann_file=ann_file_train, data_prefix=dict(video=data_root)
        ),
        pipeline=train_pipeline,
    ),
)
custom_hooks = [
    dict(
        type="PseudoLabelHook",
        clusterer=dict(type="FINCH", level=0),
        interval=5,
        pipeline=embed_pipeline,
        batch_size=32,
        num_workers=8,
    )
]
