# With intra-video negatives: the anchor's frames in random order are to be farther than the
# positive.
_base_ = "../slic_r3d_ucf101.py"

intra_loss = dict(type="IntraVideoNegativeLoss", margin=0.04, loss_weight=0.4)
model = dict(cls_head=dict(losses=[*_base_.model.cls_head.losses, intra_loss]))
train_dataloader = dict(dataset=dict(extra_views=["shuffled_anchor"]))
