# ucf101_slic.py with loader workers that decode, crop and resize only; the draws are the same. The
# rest is done by the model's preprocessor (models/slic_r3d18_device_aug.py).
_base_ = "ucf101_slic.py"

train_pipeline = [
    *_base_.train_pipeline[:3],
    dict(type="ClipAugment", size=128, area_range=(0.25, 1.0), on_device=True),
    dict(type="FormatShape", input_format="NCTHW"),
    # What the device needs: which clips are flow, if any, and what was drawn.
    dict(type="PackActionInputs", meta_keys=("modalities", "clip_draws")),
]
train_dataloader = dict(pin_memory=True, dataset=dict(pipeline=train_pipeline))
