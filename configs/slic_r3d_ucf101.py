# SLIC on UCF101 as in the paper (CVPR 2022, arXiv 2206.12534), RGB only.
_base_ = [
    "_base_/models/slic_r3d18.py",
    "_base_/datasets/ucf101_slic.py",
    "_base_/datasets/ucf101_retrieval_center.py",
    "_base_/schedules/slic_sgd_600e.py",
    "_base_/default_runtime.py",
]

custom_hooks = [
    dict(
        type="PseudoLabelHook",
        clusterer=dict(type="FINCH", level=0),
        interval=5,
        pipeline={{_base_.embed_pipeline}},
        batch_size=32,
        num_workers=8,
    )
]
