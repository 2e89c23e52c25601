# slic_r3d_ucf101.py with the paper's numerics also on a GPU: float32, cuDNN's default algorithms,
# augmentation by loader workers. For comparing with the paper or with a CPU; slower. Against TF32
# in convolutions set NVIDIA_TF32_OVERRIDE=0 in the environment; for the same bits in every run,
# --cfg-options randomness.seed=0 randomness.deterministic=True (docs/precision_and_scale.md).
_base_ = [
    "_base_/models/slic_r3d18.py",
    "_base_/datasets/ucf101_slic.py",
    "_base_/datasets/ucf101_retrieval_center.py",
    "_base_/schedules/slic_sgd_600e.py",
    "_base_/default_runtime.py",
]
