# NOT SELF-SUPERVISED: the true labels instead of clusters, as an upper bound to compare with.
_base_ = "../slic_r3d_ucf101.py"

custom_imports = dict(imports=["slic_mmaction", "slic_mmaction.hooks.true_labels_upper_bound"])
custom_hooks = [dict(type="TrueLabelsUpperBoundHook")]
