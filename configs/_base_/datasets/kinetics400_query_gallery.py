# Kinetics-400: validation videos are searched for among training videos.
query = dict(
    type="VideoDataset",
    ann_file="data/kinetics400/kinetics400_val_list_videos.txt",
    data_prefix=dict(video="data/kinetics400/videos_val"),
)
gallery = dict(
    type="VideoDataset",
    ann_file="data/kinetics400/kinetics400_train_list_videos.txt",
    data_prefix=dict(video="data/kinetics400/videos_train"),
)
