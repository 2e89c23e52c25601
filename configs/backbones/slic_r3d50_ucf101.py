# The paper's R3D with 50 layers; 18, 34, 101 and 152 are backbone=dict(depth=...) likewise.
_base_ = [
    "../slic_r3d_ucf101.py",
    "../_base_/heads/slic_head.py",
    "../_base_/datasets/ucf101_query_gallery.py",
    "../_base_/evaluation/iic.py",
]

model = dict(
    backbone=dict(depth=50),
    cls_head=dict(_base_.slic_head, _delete_=True),
)
# The final retrieval, as in ../retrieval/slic_r3d_ucf101.py.
test_dataloader = dict(dataset=dict(query=_base_.query, gallery=_base_.gallery))
test_evaluator = dict(
    type="VideoRetrievalMetric", ks=(1, 5, 10, 20, 50), mean_average_precision=True
)
