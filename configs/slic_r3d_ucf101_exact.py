# slic_r3d_ucf101.py with the paper's numerics on any device: float32, cuDNN's default algorithms,
# augmentation by the loader workers. For comparing numbers; on a GPU it is slower. GPUs since
# Ampere still round the factors of float32 convolutions to TF32 unless NVIDIA_TF32_OVERRIDE=0 is
# in the environment, and randomness=dict(seed=0, deterministic=True) asks for the same bits each time.
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
