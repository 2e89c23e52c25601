# Linear probe of the frozen backbone on HMDB51 split 1, clips of `iic`; all settings in one run.
#   python tools/test.py configs/linear/slic_r3d_hmdb51.py CHECKPOINT
_base_ = "../retrieval/slic_r3d_hmdb51.py"

model = dict(cls_head=dict(feature="backbone"))
test_evaluator = dict(
    _delete_=True,
    type="LinearProbeMetric",
    lrs=(0.3, 1.0, 3.0, 10.0, 30.0, 100.0),
    weight_decays=(0.0, 1e-6, 1e-5, 1e-4, 1e-3),
    # Clips of one film differ in their last number: ..._goo_0.avi, ..._goo_1.avi.
    group_pattern=r".+(?=_\d+\.\w+$)",
)
work_dir = "work_dirs/linear/{{ fileBasenameNoExtension }}"
