# UniFormer-S. The zoo has no file for its model alone: of its recipe only `model` is kept.
_base_ = "mmaction::recognition/uniformer/uniformer-small_imagenet1k-pre_16x4x1_kinetics400-rgb.py"

model = _base_.model
_base_.clear()
