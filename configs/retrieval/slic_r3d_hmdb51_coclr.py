# Retrieval on HMDB51 split 1, protocol `coclr`.
#   python tools/test.py configs/retrieval/slic_r3d_hmdb51_coclr.py CHECKPOINT
_base_ = [
    "../_base_/models/slic_r3d18.py",
    "../_base_/datasets/hmdb51_query_gallery.py",
    "../_base_/evaluation/coclr.py",
    "../_base_/default_runtime.py",
]

model = dict(cls_head=dict(feature="backbone"))
test_dataloader = dict(dataset=dict(query={{_base_.query}}, gallery={{_base_.gallery}}))
test_evaluator = dict(
    type="VideoRetrievalMetric", ks=(1, 5, 10, 20, 50), mean_average_precision=True
)
work_dir = "work_dirs/retrieval/{{ fileBasenameNoExtension }}"
