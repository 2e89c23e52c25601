# UniFormerV2-B/16. The zoo has no file for its model alone: of its recipe only `model` is kept.
_base_ = (
    "mmaction::recognition/uniformerv2/uniformerv2-base-p16-res224_clip_8xb32-u8_kinetics400-rgb.py"
)

model = _base_.model
_base_.clear()
