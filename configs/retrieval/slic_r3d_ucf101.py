# The paper's retrieval on UCF101 split 1, protocol `iic`: 10 clips, 128x171, crop 128.
#   python tools/test.py configs/retrieval/slic_r3d_ucf101.py CHECKPOINT
_base_ = [
    "../_base_/models/slic_r3d18.py",
    "../_base_/datasets/ucf101_retrieval_center.py",
    "../_base_/default_runtime.py",
]

test_dataloader = dict(
    batch_size=8,
    num_workers=8,
    persistent_workers=False,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="RetrievalDataset",
        query={{_base_.val_dataloader.dataset.query}},
        gallery={{_base_.val_dataloader.dataset.gallery}},
        pipeline=[
            dict(type="DecordInit"),
            dict(type="SampleProtocolClips", protocol="iic"),
            dict(type="DecordDecode"),
            dict(type="Resize", scale=(171, 128), keep_ratio=False),
            dict(type="CenterCrop", crop_size=128),
            dict(type="FormatShape", input_format="NCTHW"),
            dict(type="PackActionInputs", meta_keys=("protocol",)),
        ],
    ),
)
test_evaluator = {{_base_.val_evaluator}}
test_cfg = dict(type="TestLoop")
val_dataloader = None
val_evaluator = None
val_cfg = None
