# Finetuning on UCF101 split 3.
_base_ = "slic_r3d_ucf101.py"

val_split = dict(ann_file="data/ucf101/ucf101_val_split_3_videos.txt")
train_dataloader = dict(dataset=dict(ann_file="data/ucf101/ucf101_train_split_3_videos.txt"))
val_dataloader = dict(dataset=val_split)
test_dataloader = dict(dataset=val_split)
work_dir = "work_dirs/finetune/{{ fileBasenameNoExtension }}"
