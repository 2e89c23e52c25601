# OmniResNet-50. The zoo has no file for its model alone: of its recipe only `model` is kept.
_base_ = (
    "mmaction::recognition/omnisource/slowonly_r50_8xb16-8x8x1-256e_imagenet-kinetics400-rgb.py"
)

model = _base_.model
_base_.clear()
