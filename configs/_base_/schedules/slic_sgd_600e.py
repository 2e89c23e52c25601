optim_wrapper = dict(
    type="OptimWrapper", optimizer=dict(type="SGD", lr=0.1, momentum=0.5, weight_decay=0.0)
)
param_scheduler = []  # the learning rate is constant
train_cfg = dict(type="EpochBasedTrainLoop", max_epochs=600, val_interval=20)
auto_scale_lr = dict(enable=False, base_batch_size=32)
