# TimeSformer, divided. The zoo has no file for its model alone: of its recipe only `model` is kept.
_base_ = "mmaction::recognition/timesformer/timesformer_divST_8xb8-8x32x1-15e_kinetics400-rgb.py"

model = _base_.model
_base_.clear()
