# SLIC on UCF101 as in slic_r3d_ucf101.py, with flip, colours and blur on the device.
# Loader workers decode, crop and resize only; the draws are the same.
_base_ = "slic_r3d_ucf101.py"

train_pipeline = [
    dict(type="OpenVideo"),
    dict(type="SampleViewFrames", clip_len=16),
    dict(type="DecodeFrames"),
    dict(type="ClipAugment", size=128, area_range=(0.25, 1.0), on_device=True),
    dict(type="FormatShape", input_format="NCTHW"),
    # What the device needs: which clips are flow, if any, and what was drawn.
    dict(type="PackActionInputs", meta_keys=("modalities", "clip_draws")),
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
model = dict(
    data_preprocessor=dict(
        type="SLICDataPreprocessor",
        augment=dict(
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
    )
)
