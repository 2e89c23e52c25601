# SLIC on UCF101 as in the paper, its full recipe: a quarter of the positives and of the second
# anchor views are shown as optical flow. Prepare it with
#   python tools/data/extract_flow.py data/ucf101/videos --out data/ucf101/flow --workers 16
# or set source="dis", which needs no files (docs/flow.md).
_base_ = "slic_r3d_ucf101.py"

flow_view = dict(
    type="FlowView",
    source="files",
    root="data/ucf101/flow",
    video_root=_base_.data_root,
    prob=0.25,
)
# Right after decoding, so that flow goes through the same crop as RGB.
train_pipeline = [*_base_.train_pipeline[:3], flow_view, *_base_.train_pipeline[3:]]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
