# SLIC's schedule for transformers, which plain SGD trains badly. The paper has none of them: these
# are the optimizer and the warm-up with which MMAction2's zoo trains Video Swin.
optim_wrapper = dict(
    type="OptimWrapper",
    optimizer=dict(type="AdamW", lr=1e-3, betas=(0.9, 0.999), weight_decay=0.02),
    paramwise_cfg=dict(norm_decay_mult=0.0, bias_decay_mult=0.0),
)
param_scheduler = [
    dict(type="LinearLR", start_factor=0.1, end=10, by_epoch=True, convert_to_iter_based=True)
]
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=600, val_interval=20)
auto_scale_lr = dict(enable=False, base_batch_size=32)
