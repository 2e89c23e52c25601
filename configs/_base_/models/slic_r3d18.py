# The 3D ResNet-18 of Hara et al. (arXiv 1711.09577) without its max-pool, and SLIC's head.
model = dict(
    type="Recognizer3D",
    backbone=dict(
        type="ResNet3d",
        depth=18,
        pretrained=None,
        pretrained2d=False,
        conv1_kernel=(7, 7, 7),
        conv1_stride_t=1,
        with_pool1=False,
        with_pool2=False,
        temporal_strides=(1, 2, 2, 2),
        zero_init_residual=False,
    ),
    cls_head=dict(
        type="SLICHead",
        in_channels=512,
        hidden_channels=2048,
        out_channels=128,
        losses=[
            dict(type="PseudoLabelTripletLoss", margin=0.2, mining="random_violating"),
            dict(type="TemporalDiscriminationLoss", margin=0.04),
        ],
    ),
    data_preprocessor=dict(
        type="ActionDataPreprocessor",
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape="NCTHW",
    ),
)
