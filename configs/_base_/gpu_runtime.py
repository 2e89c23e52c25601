# default_runtime.py with what makes a network of 3D convolutions fast on a GPU. A CPU trains as
# without it. docs/precision_and_scale.md says how to switch each off.
_base_ = "default_runtime.py"

default_hooks = dict(
    bfloat16=dict(type="BFloat16Hook", devices=["cuda"]),
    channels_last=dict(type="ChannelsLastHook", devices=["cuda"]),
)
