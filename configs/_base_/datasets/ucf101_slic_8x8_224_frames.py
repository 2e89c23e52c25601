# ucf101_slic_8x8_224.py for Recognizer2D, whose backbone sees frames: the 8 of a clip in a row,
# which the head joins with num_segments=8.
_base_ = "ucf101_slic_8x8_224.py"

other = dict(FormatShape=dict(input_format="NCHW"))

train_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.train_pipeline]
embed_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.embed_pipeline]
retrieval_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.retrieval_pipeline]
test_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.test_pipeline]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=retrieval_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
custom_hooks = [dict(_base_.custom_hooks[0], pipeline=embed_pipeline)]
