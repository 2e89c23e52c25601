# Linear probe on UCF101 split 2.
_base_ = "slic_r3d_ucf101.py"

test_dataloader = dict(
    dataset=dict(
        query=dict(ann_file="data/ucf101/ucf101_val_split_2_videos.txt"),
        gallery=dict(ann_file="data/ucf101/ucf101_train_split_2_videos.txt"),
    )
)
work_dir = "work_dirs/linear/{{ fileBasenameNoExtension }}"
