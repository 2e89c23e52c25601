# ucf101_finetune_32x2_224.py with clips of 16 frames, every fourth one.
_base_ = "ucf101_finetune_32x2_224.py"

other = dict(SampleFrames=dict(clip_len=16, frame_interval=4))

train_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.train_pipeline]
val_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.val_pipeline]
test_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.test_pipeline]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
