# mypy: ignore-errors
# pretraining_config.py for a test on a CPU: whether it runs, not whether it learns.
_base_ = "pretraining_config.py"

model = dict(
    backbone=dict(base_channels=4, conv1_kernel=(1, 3, 3)),
    cls_head=dict(in_channels=32, hidden_channels=16),
)
train_dataloader = dict(batch_size=12, num_workers=0, persistent_workers=False)
evaluation_dataset = dict(
    pipeline=[
        _base_.evaluation_pipeline[0],
        dict(_base_.evaluation_pipeline[1], num_clips=2),
        *_base_.evaluation_pipeline[2:],
    ]
)
evaluation_workers = 0
custom_hooks = [dict(_base_.custom_hooks[0], num_workers=0)]
optim_wrapper = dict(_delete_=True, type="OptimWrapper", optimizer=dict(type="SGD", lr=0.1))
train_cfg = dict(max_epochs=1)
default_hooks = dict(checkpoint=dict(interval=1))
