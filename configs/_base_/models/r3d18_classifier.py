# SLIC's backbone under MMAction2's own classifier, as in CoCLR's finetuning.
_base_ = "slic_r3d18.py"

model = dict(
    cls_head=dict(
        _delete_=True,
        type="I3DHead",
        in_channels=512,
        num_classes=101,
        dropout_ratio=0.9,
        average_clips="prob",
    )
)
