# Retrieval on Kinetics-400, protocol `iic`.
#   python tools/test.py configs/retrieval/slic_r3d_k400.py CHECKPOINT
_base_ = [
    "../_base_/models/slic_r3d18.py",
    "../_base_/datasets/kinetics400_query_gallery.py",
    "../_base_/evaluation/iic.py",
    "../_base_/default_runtime.py",
]

model = dict(
    data_preprocessor=dict(
        mean=[110.7975, 103.3005, 96.2625],
        std=[70.584, 69.1815, 69.7935],
    )
)
test_dataloader = dict(dataset=dict(query={{_base_.query}}, gallery={{_base_.gallery}}))
test_evaluator = dict(
    type="VideoRetrievalMetric", ks=(1, 5, 10, 20, 50), mean_average_precision=True
)
work_dir = "work_dirs/retrieval/{{ fileBasenameNoExtension }}"
