# VideoMAE's ViT-B. The zoo has no file for its model alone: of its recipe only `model` is kept.
_base_ = "mmaction::recognition/videomae/vit-base-p16_videomae-k400-pre_16x4x1_kinetics-400.py"

model = _base_.model
_base_.clear()
