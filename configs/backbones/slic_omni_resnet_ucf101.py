# SLIC with OmniResNet-50 on clips, so with Recognizer3D (RecognizerOmni mixes images in).
_base_ = [
    "../_base_/models/omni_resnet50.py",
    "../_base_/heads/slic_head.py",
    "../_base_/datasets/ucf101_slic_8x8_224.py",
    "../_base_/schedules/slic_sgd_600e.py",
    "../_base_/default_runtime.py",
]

model = dict(
    type="Recognizer3D",
    data_preprocessor=dict(format_shape="NCTHW"),
    cls_head=dict(_base_.slic_head, _delete_=True),
)
