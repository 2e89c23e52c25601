# p = 0: positives from another video, wherever the cluster has one.
_base_ = "../slic_r3d_ucf101.py"

train_dataloader = dict(dataset=dict(p_same_video=0.0))
