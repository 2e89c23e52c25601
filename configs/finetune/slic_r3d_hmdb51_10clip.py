# HMDB51, tested by the centre crops of 10 clips: a tenth of the views, and another protocol.
_base_ = "slic_r3d_hmdb51.py"

center = dict(type="CenterCrop", crop_size=128)
test_pipeline = [*_base_.test_pipeline[:4], center, *_base_.test_pipeline[5:]]
test_dataloader = dict(batch_size=8, dataset=dict(pipeline=test_pipeline))
test_evaluator = dict(prefix="finetune/10clip")
work_dir = "work_dirs/finetune/{{ fileBasenameNoExtension }}"
