# The paper's retrieval on UCF101 split 1, protocol `iic`: 10 clips, 171x128, crop 128.
#   python tools/test.py configs/retrieval/slic_r3d_ucf101.py CHECKPOINT
_base_ = [
    "../_base_/models/slic_r3d18.py",
    "../_base_/datasets/ucf101_query_gallery.py",
    "../_base_/evaluation/iic.py",
    "../_base_/default_runtime.py",
]

test_dataloader = dict(dataset=dict(query={{_base_.query}}, gallery={{_base_.gallery}}))
test_evaluator = dict(
    type="VideoRetrievalMetric", ks=(1, 5, 10, 20, 50), mean_average_precision=True
)
work_dir = "work_dirs/retrieval/{{ fileBasenameNoExtension }}"
