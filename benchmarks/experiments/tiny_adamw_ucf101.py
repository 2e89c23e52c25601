# mypy: ignore-errors
"""The same with AdamW, for InfoNCE: chosen on the validation cut (docs/experiments.md)."""

_base_ = "tiny_ucf101.py"

optim_wrapper = dict(
    optimizer=dict(_delete_=True, type="AdamW", lr=1e-3, weight_decay=0.05),
)
