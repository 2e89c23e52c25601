# The paper's transfer: the network pretrained on UCF101, with no further training, on HMDB51
# split 1, protocol `iic`. CHECKPOINT is that of configs/slic_r3d_ucf101.py.
#   python tools/test.py configs/retrieval/slic_r3d_ucf101_to_hmdb51.py CHECKPOINT
_base_ = "slic_r3d_hmdb51.py"
work_dir = "work_dirs/retrieval/{{ fileBasenameNoExtension }}"
