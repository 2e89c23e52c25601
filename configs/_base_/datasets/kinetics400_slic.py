# Kinetics-400: clips and augmentation as for UCF101, p = 0.5; while training, validation videos are
# searched for among training videos by their centre clips.
_base_ = ["ucf101_slic_device_aug.py", "ucf101_retrieval_center.py"]

train_videos = dict(
    ann_file="data/kinetics400/kinetics400_train_list_videos.txt",
    data_prefix=dict(video="data/kinetics400/videos_train"),
)
train_dataloader = dict(
    batch_size=13,  # on each of 8 GPUs: 104 in all
    dataset=dict(p_same_video=0.5, dataset=train_videos),
)
val_dataloader = dict(
    dataset=dict(
        query=dict(
            ann_file="data/kinetics400/kinetics400_val_list_videos.txt",
            data_prefix=dict(video="data/kinetics400/videos_val"),
        ),
        gallery=train_videos,
    )
)
