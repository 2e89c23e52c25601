# SLIC with ir-CSN-152; ip-CSN is backbone=dict(bottleneck_mode='ip'), the smaller ir-CSN-50
# depth=50.
_base_ = [
    "mmaction::_base_/models/ircsn_r152.py",
    "../_base_/heads/slic_head.py",
    "../_base_/datasets/ucf101_slic_32x2_224.py",
    "../_base_/schedules/slic_sgd_600e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    cls_head=dict(_base_.slic_head, _delete_=True),
    test_cfg=dict(_delete_=True),  # the zoo's max_testing_views takes one video at a time
)
