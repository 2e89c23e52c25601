# SLIC on UCF101 as in the paper (CVPR 2022, arXiv 2206.12534), RGB only. On a GPU it trains in
# bfloat16, with channels last and cuDNN's fastest algorithms, and flip, colours and blur are done
# there (_base_/gpu_runtime.py); slic_r3d_ucf101_exact.py has the paper's float32.
_base_ = [
    "_base_/models/slic_r3d18_device_aug.py",
    "_base_/datasets/ucf101_slic_device_aug.py",
    "_base_/datasets/ucf101_retrieval_center.py",
    "_base_/schedules/slic_sgd_600e.py",
    "_base_/gpu_runtime.py",
]
