# HMDB51 split 1: test videos are searched for among training videos.
query = dict(
    type="VideoDataset",
    ann_file="data/hmdb51/hmdb51_val_split_1_videos.txt",
    data_prefix=dict(video="data/hmdb51/videos"),
)
gallery = dict(
    type="VideoDataset",
    ann_file="data/hmdb51/hmdb51_train_split_1_videos.txt",
    data_prefix=dict(video="data/hmdb51/videos"),
)
