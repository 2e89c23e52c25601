# SLIC on UCF101 for machines without a GPU: a quarter of the width, 8 frames of 56x56.
# Not the paper's setting; for trying things out.
_base_ = "slic_r3d_ucf101_exact.py"

clip = dict(clip_len=8, frame_interval=2)
eval_clip = [
    dict(type="DecodeFrames"),
    dict(type="Resize", scale=(-1, 56)),
    dict(type="CenterCrop", crop_size=56),
    dict(type="FormatShape", input_format="NCTHW"),
]
train_pipeline = [
    dict(type="OpenVideo"),
    dict(type="SampleViewFrames", **clip),
    dict(type="DecodeFrames"),
    dict(type="ClipAugment", size=56, area_range=(0.25, 1.0), blur_kernel=7, blur_sigma=1.0),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]
embed_pipeline = [
    dict(type="OpenVideo"),
    dict(type="SampleFrames", **clip, num_clips=1, test_mode=True),
    *eval_clip,
    dict(type="PackActionInputs"),
]
retrieval_pipeline = [
    dict(type="OpenVideo"),
    dict(type="SampleProtocolClips", protocol="iic", num_clips=4, **clip),
    *eval_clip,
    dict(type="PackActionInputs", meta_keys=("protocol",)),
]

model = dict(
    backbone=dict(base_channels=16),
    cls_head=dict(in_channels=128, hidden_channels=512),
)
train_dataloader = dict(num_workers=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=retrieval_pipeline))
train_cfg = dict(max_epochs=20, val_interval=5)
custom_hooks = [
    dict(type="InitialValidationHook"),
    dict(
        type="PseudoLabelHook",
        clusterer=dict(type="FINCH", level=0),
        interval=5,
        pipeline=embed_pipeline,
        batch_size=32,
        num_workers=1,
    ),
]
