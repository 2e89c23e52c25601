# SLIC on UCF101 with clusters of motion descriptors instead of embeddings: not the
# paper's (docs/motion.md). Describe the motion of the training videos once with
#   python tools/data/extract_motion.py data/ucf101/videos --out data/ucf101/motion.npz --workers 16
_base_ = "slic_r3d_ucf101.py"

custom_hooks = [
    dict(
        _base_.custom_hooks[0],
        # 0.0875 clusters for each of split 1's 9,537 videos, merged closest first: FINCH's first
        # level hardly joins more than clips of one source video (docs/experiments.md).
        clusterer=dict(type="FINCH", num_clusters=834),
        descriptors="data/ucf101/motion.npz",
        # Nothing is embedded: descriptors are clustered alone, once.
        pipeline=[],
    )
]
