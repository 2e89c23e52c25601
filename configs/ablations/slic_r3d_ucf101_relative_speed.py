# With relative-speed perception: a clip at double speed is to be farther than the positive.
_base_ = "../slic_r3d_ucf101.py"

speed_loss = dict(type="RelativeSpeedLoss", margin=0.1)
model = dict(cls_head=dict(losses=[*_base_.model.cls_head.losses, speed_loss]))
train_dataloader = dict(dataset=dict(extra_views=["fast_positive"]))
