# UCF101 split 1 as SLIC pretrains on it, 16 consecutive frames of 128 pixels: views to train on,
# the centre clips that are clustered, retrieval by centre clips while training (protocol `center`)
# and the final one (protocol `iic`). The other files ucf101_slic_*x*_*.py are these with clips
# of other lengths and sizes.
_base_ = [
    "ucf101_slic.py",
    "ucf101_retrieval_center.py",
    "ucf101_query_gallery.py",
    "../evaluation/iic.py",
]

test_pipeline = _base_.test_dataloader.dataset.pipeline
test_dataloader = dict(dataset=dict(query=_base_.query, gallery=_base_.gallery))
test_evaluator = dict(
    type="VideoRetrievalMetric", ks=(1, 5, 10, 20, 50), mean_average_precision=True
)
