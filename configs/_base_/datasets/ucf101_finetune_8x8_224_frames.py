# ucf101_finetune_8x8_224.py for Recognizer2D, whose backbone sees frames, the 8 of a clip in a row.
_base_ = "ucf101_finetune_8x8_224.py"

other = dict(FormatShape=dict(input_format="NCHW"))

train_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.train_pipeline]
val_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.val_pipeline]
test_pipeline = [dict(step, **other.get(step.type, {})) for step in _base_.test_pipeline]

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
