# C3D on UCF101 for machines without a GPU. Its class has neither width nor depth to set, and its
# five poolings need 16 frames: what can be smaller are the frames, 32 pixels here, and with them
# the first fully connected layer. Not a setting of the paper or the zoo; for trying things out.
_base_ = "slic_c3d_ucf101.py"

other = dict(
    ClipAugment=dict(size=32, blur_kernel=5, blur_sigma=1.0),
    Resize=dict(scale=(-1, 32)),
    CenterCrop=dict(crop_size=32),
)
test_other = dict(other, Resize=dict(scale=(43, 32)))

train_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.train_pipeline]
embed_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.embed_pipeline]
retrieval_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.retrieval_pipeline]
test_pipeline = [dict(step, **test_other.get(step.type, {})) for step in _base_.test_pipeline]

train_dataloader = dict(num_workers=1, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(num_workers=1, dataset=dict(pipeline=retrieval_pipeline))
test_dataloader = dict(num_workers=1, dataset=dict(pipeline=test_pipeline))
train_cfg = dict(max_epochs=20, val_interval=5)
custom_hooks = [
    dict(type="InitialValidationHook"),
    dict(_base_.custom_hooks[0], pipeline=embed_pipeline, num_workers=1),
]

model = dict(
    backbone=dict(out_dim=512 * 2 * 2),
    # Given: 'auto' tries the usual sizes only, and this network takes none but its own.
    cls_head=dict(in_channels=4096, hidden_channels=512),
)
