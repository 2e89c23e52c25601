# k-means of 1000 clusters on L2-normalised embeddings, instead of FINCH.
_base_ = "../slic_r3d_ucf101.py"

custom_hooks = [dict(_base_.custom_hooks[0], clusterer=dict(type="KMeans", num_clusters=1000))]
