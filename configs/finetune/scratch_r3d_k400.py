# The finetuning recipe on Kinetics-400 from random weights, one learning rate for all of them.
_base_ = "slic_r3d_k400.py"

optim_wrapper = dict(paramwise_cfg=None)
custom_hooks = []
work_dir = "work_dirs/finetune/{{ fileBasenameNoExtension }}"
