# A clustering before every epoch, not every fifth.
_base_ = "../slic_r3d_ucf101.py"

custom_hooks = [dict(_base_.custom_hooks[0], interval=1)]
