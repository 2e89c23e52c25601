# Without clustering: every video its own pseudo-label, so every positive is from the same video.
_base_ = "../slic_r3d_ucf101.py"

train_dataloader = dict(dataset=dict(p_same_video=1.0))
custom_hooks = []
