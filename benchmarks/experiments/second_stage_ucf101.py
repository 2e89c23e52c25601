# mypy: ignore-errors
"""InfoNCE with AdamW at 56 pixels, from weights that the paper's losses have trained."""

_base_ = "slim_ucf101.py"

optim_wrapper = dict(
    optimizer=dict(_delete_=True, type="AdamW", lr=1e-3, weight_decay=0.05),
)
custom_hooks = [
    *_base_.custom_hooks,
    dict(type="EMAHook", momentum=0.01, update_buffers=True),
]
train_cfg = dict(max_epochs=20, val_interval=1000)
