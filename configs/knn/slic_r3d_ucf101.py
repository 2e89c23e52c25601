# kNN probe of the backbone on UCF101 split 1 (Wu et al., CVPR 2018), clips of `iic`.
#   python tools/test.py configs/knn/slic_r3d_ucf101.py CHECKPOINT
_base_ = "../retrieval/slic_r3d_ucf101.py"

model = dict(cls_head=dict(feature="backbone"))
test_evaluator = dict(
    _delete_=True, type="VideoKNNMetric", ks=(1, 5, 20, 200), temperatures=(0.07,)
)
work_dir = "work_dirs/knn/{{ fileBasenameNoExtension }}"
