# CoCLR's finetuning: Adam, the backbone at a tenth of the classifier's learning rate.
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="Adam", lr=1e-3, weight_decay=1e-3),
    paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))),
)
param_scheduler = [dict(type="MultiStepLR", milestones=[60, 100], gamma=0.1, by_epoch=True)]
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=150, val_interval=10)
val_cfg = dict(type="ValLoop")
test_cfg = dict(type="TestLoop")
auto_scale_lr = dict(enable=False, base_batch_size=32)
custom_hooks = [dict(type="BackboneLoadingHook")]
