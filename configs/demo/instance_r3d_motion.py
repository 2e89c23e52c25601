# The demo without clustering: p = 1, every video its own pseudo-label.
_base_ = "slic_r3d_motion.py"

train_dataloader = dict(dataset=dict(p_same_video=1.0))
custom_hooks = [dict(type="InitialValidationHook")]
