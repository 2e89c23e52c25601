# Linear probe of the network of configs/slic_r3d_slim_ucf101.py.
_base_ = "../retrieval/slic_r3d_slim_ucf101.py"

model = dict(cls_head=dict(feature="backbone"))
test_evaluator = dict(
    _delete_=True,
    type="LinearProbeMetric",
    lrs=(0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
    weight_decays=(0.0, 1e-6, 1e-5, 1e-4, 1e-3),
    # Clips of one group come from one recording: v_PushUps_g01_c02.avi.
    group_pattern=r"v_\w+_g\d+",
)
work_dir = "work_dirs/linear/{{ fileBasenameNoExtension }}"
