# p = 0.2, which is the main config under the name of this series.
_base_ = "../slic_r3d_ucf101.py"

train_dataloader = dict(dataset=dict(p_same_video=0.2))
