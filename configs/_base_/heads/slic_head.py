# SLIC's head for any backbone: the width of the backbone's feature is found by trying. Use it as
#   model = dict(cls_head=dict(_base_.slic_head, _delete_=True))
slic_head = dict(
    type="SLICHead",
    in_channels="auto",
    hidden_channels=2048,
    out_channels=128,
    losses=[
        dict(type="PseudoLabelTripletLoss", margin=0.2, mining="random_violating"),
        dict(type="TemporalDiscriminationLoss", margin=0.04),
    ],
)
