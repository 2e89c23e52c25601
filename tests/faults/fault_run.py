# A run of a few seconds in which everything happens that a kill could disturb: clustering before
# every second epoch, a checkpoint and a validation after each, old and best checkpoints removed,
# schedules by epoch and by iteration, momentum, and a network that draws random numbers.
_base_ = "../data/tiny_slic.py"

custom_imports = dict(imports=["slic_mmaction", "killing"], allow_failed_imports=False)
model = dict(backbone=dict(type="DroppingResNet3d"))
train_cfg = dict(max_epochs=4, val_interval=1)
train_dataloader = dict(batch_size=3)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, by_epoch=False, begin=0, end=5),
    dict(type="MultiStepLR", milestones=[2], gamma=0.5, by_epoch=True),
]
custom_hooks = [
    dict(
        type="PseudoLabelHook",
        clusterer=dict(type="FINCH", level=0),
        interval=2,
        pipeline={{_base_.embed_pipeline}},
        batch_size=4,
        num_workers=0,
    )
]
default_hooks = dict(
    logger=dict(interval=1),
    # R@1 falls in the first three epochs of these runs: so there are several best checkpoints.
    checkpoint=dict(interval=1, max_keep_ckpts=2, save_best="retrieval/R@1", rule="less"),
)
vis_backends = [dict(type="LocalVisBackend"), dict(type="TensorboardVisBackend")]
visualizer = dict(vis_backends=vis_backends)
