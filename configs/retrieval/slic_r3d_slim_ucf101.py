# Retrieval, protocol `iic`, of the network of configs/slic_r3d_slim_ucf101.py.
_base_ = "slic_r3d_ucf101.py"

model = dict(
    backbone=dict(base_channels=16),
    cls_head=dict(in_channels=128, hidden_channels=512),
)
test_dataloader = dict(
    num_workers=1,
    dataset=dict(
        pipeline=[
            dict(type="OpenVideo"),
            dict(type="SampleProtocolClips", protocol="iic", clip_len=8, frame_interval=2),
            dict(type="DecodeFrames"),
            dict(type="Resize", scale=(75, 56), keep_ratio=False),
            dict(type="CenterCrop", crop_size=56),
            dict(type="FormatShape", input_format="NCTHW"),
            dict(type="PackActionInputs", meta_keys=("protocol",)),
        ],
    ),
)
work_dir = "work_dirs/retrieval/{{ fileBasenameNoExtension }}"
