# p = 0.7: the share of positives from the anchor's own video.
_base_ = "../slic_r3d_ucf101.py"

train_dataloader = dict(dataset=dict(p_same_video=0.7))
