# SLIC with Video Swin-T that begins with the zoo's weights, trained with the labels of
# Kinetics-400. Other families likewise: docs/backbones_weights.md.
_base_ = "slic_swin_ucf101.py"

load_from = (
    "https://download.openmmlab.com/mmaction/v1.0/recognition/swin/"
    "swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb/"
    "swin-tiny-p244-w877_in1k-pre_8xb8-amp-32x2x1-30e_kinetics400-rgb_20220930-241016b2.pth"
)
# Logs what of the checkpoint fits, and stops where that is less than nearly all of the backbone.
custom_hooks = [dict(type="BackboneLoadingHook", min_matched=0.9), *_base_.custom_hooks]
