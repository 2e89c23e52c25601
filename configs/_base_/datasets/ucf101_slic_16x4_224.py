# ucf101_slic_32x2_224.py with clips of 16 frames, every fourth one.
_base_ = "ucf101_slic_32x2_224.py"

clip = dict(clip_len=16, frame_interval=4)
other = dict(SampleViewFrames=clip, SampleFrames=clip, SampleProtocolClips=clip)

train_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.train_pipeline]
embed_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.embed_pipeline]
retrieval_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.retrieval_pipeline]
test_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.test_pipeline]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=retrieval_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
custom_hooks = [dict(_base_.custom_hooks[0], pipeline=embed_pipeline)]
