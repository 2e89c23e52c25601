# FINCH's second partition, of fewer and larger clusters.
_base_ = "../slic_r3d_ucf101.py"

custom_hooks = [dict(_base_.custom_hooks[0], clusterer=dict(type="FINCH", level=1))]
