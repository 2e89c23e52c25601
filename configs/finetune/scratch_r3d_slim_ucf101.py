# The slim network on UCF101 from random weights, one learning rate for all of them.
_base_ = "slic_r3d_slim_ucf101.py"

optim_wrapper = dict(paramwise_cfg=None)
custom_hooks = []
work_dir = "work_dirs/finetune/{{ fileBasenameNoExtension }}"
