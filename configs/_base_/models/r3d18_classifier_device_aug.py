# r3d18_classifier.py with flip and colours on the device, for ucf101_finetune_device_aug.py.
_base_ = "r3d18_classifier.py"

model = dict(
    data_preprocessor=dict(
        type="SLICDataPreprocessor",
        augment=dict(
            flip_prob=0.5,
            brightness=0.4,
            contrast=0.4,
            saturation=0.4,
            hue=0.1,
            jitter_prob=0.3,
            gray_prob=0.0,
            blur_prob=0.0,
        ),
    )
)
