# Plain InfoNCE: every video its own pseudo-label, the positive from the same video.
_base_ = "slic_r3d_ucf101_info_nce.py"

train_dataloader = dict(dataset=dict(p_same_video=1.0))
custom_hooks = []
