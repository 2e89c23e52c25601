# UCF101 split 1: test videos are searched for among training videos.
query = dict(
    type="VideoDataset",
    ann_file="data/ucf101/ucf101_val_split_1_videos.txt",
    data_prefix=dict(video="data/ucf101/videos"),
)
gallery = dict(
    type="VideoDataset",
    ann_file="data/ucf101/ucf101_train_split_1_videos.txt",
    data_prefix=dict(video="data/ucf101/videos"),
)
