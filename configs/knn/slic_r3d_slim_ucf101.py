# kNN probe of the network of configs/slic_r3d_slim_ucf101.py.
_base_ = "../retrieval/slic_r3d_slim_ucf101.py"

model = dict(cls_head=dict(feature="backbone"))
test_evaluator = dict(
    _delete_=True, type="VideoKNNMetric", ks=(1, 5, 20, 200), temperatures=(0.07,)
)
work_dir = "work_dirs/knn/{{ fileBasenameNoExtension }}"
