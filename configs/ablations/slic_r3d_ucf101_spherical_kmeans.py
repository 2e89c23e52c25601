# Spherical k-means of 1000 clusters, instead of FINCH.
_base_ = "../slic_r3d_ucf101.py"

kmeans = dict(type="SphericalKMeans", num_clusters=1000)
custom_hooks = [dict(_base_.custom_hooks[0], clusterer=kmeans)]
