# Retrieval on HMDB51 split 3, protocol `iic`.
_base_ = "slic_r3d_hmdb51.py"

test_dataloader = dict(
    dataset=dict(
        query=dict(ann_file="data/hmdb51/hmdb51_val_split_3_videos.txt"),
        gallery=dict(ann_file="data/hmdb51/hmdb51_train_split_3_videos.txt"),
    )
)
work_dir = "work_dirs/retrieval/{{ fileBasenameNoExtension }}"
