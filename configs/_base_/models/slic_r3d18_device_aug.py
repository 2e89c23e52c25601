# slic_r3d18.py with flip, colours and blur on the device, for ucf101_slic_device_aug.py.
_base_ = "slic_r3d18.py"

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
