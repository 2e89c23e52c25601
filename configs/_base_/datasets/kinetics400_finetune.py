# Kinetics-400 for classification, clips and augmentation as for UCF101.
_base_ = "ucf101_finetune_device_aug.py"

val_split = dict(
    ann_file="data/kinetics400/kinetics400_val_list_videos.txt",
    data_prefix=dict(video="data/kinetics400/videos_val"),
)
train_dataloader = dict(
    dataset=dict(
        ann_file="data/kinetics400/kinetics400_train_list_videos.txt",
        data_prefix=dict(video="data/kinetics400/videos_train"),
    )
)
val_dataloader = dict(dataset=val_split)
test_dataloader = dict(dataset=val_split)
