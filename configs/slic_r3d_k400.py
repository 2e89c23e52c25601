# SLIC on Kinetics-400 as in the paper (CVPR 2022, arXiv 2206.12534), RGB only, on 8 GPUs:
#   bash tools/dist_train.sh configs/slic_r3d_k400.py 8
_base_ = [
    "_base_/models/slic_r3d18_device_aug.py",
    "_base_/datasets/kinetics400_slic.py",
    "_base_/schedules/slic_sgd_600e.py",
    "_base_/gpu_runtime.py",
]

model = dict(
    data_preprocessor=dict(
        mean=[110.7975, 103.3005, 96.2625],
        std=[70.584, 69.1815, 69.7935],
    )
)
train_cfg = dict(max_epochs=340)
auto_scale_lr = dict(base_batch_size=104)
