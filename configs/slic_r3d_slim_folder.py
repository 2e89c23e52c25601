# What `slic pretrain` runs on a CPU: the slim network on a folder of videos without labels, with
# the recipe of docs/recipes.md that retrieved best. FOLDER/config.py sets the videos, the caches,
# the number of clusters (0.0875 for each video) and the epochs.
_base_ = "slic_r3d_slim_ucf101.py"

frames = dict(type="CachedVideo", path="work_dirs/folder/frames", max_bytes=8 << 30, short_side=96)

model = dict(
    # Max-pooling after the stem, as Hara et al. have it: a third of the time.
    backbone=dict(with_pool1=True),
    cls_head=dict(
        losses=[
            dict(type="PseudoLabelInfoNCELoss", temperature=0.1),
            dict(type="TemporalDiscriminationLoss", margin=0.04),
        ]
    ),
)
train_dataloader = dict(
    num_workers=0,
    persistent_workers=False,
    dataset=dict(pipeline=[frames, *_base_.train_pipeline[1:]]),
)
val_dataloader = None
val_evaluator = None
val_cfg = None

optim_wrapper = dict(optimizer=dict(_delete_=True, type="AdamW", lr=1e-3, weight_decay=0.05))
train_cfg = dict(max_epochs=40)
custom_hooks = [
    dict(
        type="PseudoLabelHook",
        clusterer=dict(type="FINCH", num_clusters=50),
        descriptors="work_dirs/folder/motion.npz",
        pipeline=[],
    ),
]
