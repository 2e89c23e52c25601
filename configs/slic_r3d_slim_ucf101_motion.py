# The slim setting for CPUs with clusters of what moves how; see slic_r3d_ucf101_motion.py.
# num_clusters is 0.0875 of split 1's 9,537 training videos: set it to that of yours.
_base_ = "slic_r3d_slim_ucf101.py"

custom_hooks = [
    _base_.custom_hooks[0],
    dict(
        _base_.custom_hooks[1],
        clusterer=dict(type="FINCH", num_clusters=834),
        descriptors="data/ucf101/motion.npz",
        pipeline=[],
    ),
]
