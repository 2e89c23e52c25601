"""What each config of ``configs/backbones`` was found to be and to do.

``figures`` measures a network, ``trial`` trains and tests it for a moment on a few videos,
``examine`` does both for one config, ``table`` shows what came out. They serve
``tools/analysis/backbone_table.py``.
"""
