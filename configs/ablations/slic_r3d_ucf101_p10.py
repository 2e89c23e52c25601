# p = 1: every positive from the anchor's own video; clusters only rule out negatives.
_base_ = "../slic_r3d_ucf101.py"

train_dataloader = dict(dataset=dict(p_same_video=1.0))
