# HMDB51 split 1 for classification, clips and augmentation as for UCF101.
_base_ = "ucf101_finetune_device_aug.py"

val_split = dict(
    ann_file="data/hmdb51/hmdb51_val_split_1_videos.txt",
    data_prefix=dict(video="data/hmdb51/videos"),
)
train_dataloader = dict(
    dataset=dict(
        ann_file="data/hmdb51/hmdb51_train_split_1_videos.txt",
        data_prefix=dict(video="data/hmdb51/videos"),
    )
)
val_dataloader = dict(dataset=val_split)
test_dataloader = dict(dataset=val_split)
