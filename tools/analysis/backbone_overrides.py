"""How the configs of ``configs/backbones`` are made small enough to try on a CPU.

Tests and ``backbone_table.py`` run every family in this form: its own code with its own settings,
but for width, depth and the size of the clips. Where a class has no setting for one of them, that
stays.
"""

from __future__ import annotations

from typing import Any

BOTTLENECKS = {"model.backbone.base_channels": 4}
FRAMES = {"model.cls_head.num_segments": 4}
SHIFTED = {**FRAMES, "model.backbone.num_segments": 4}

# Overrides as ``--cfg-options`` takes them, by the name of a config. Copy before use: MMEngine
# takes the ``_delete_`` out of the dict it is given.
SMALL: dict[str, dict[str, Any]] = {
    "slic_c2d_ucf101": {"model.backbone.depth": 18},
    # Its five poolings leave one value of 16 frames of 16 pixels.
    "slic_c3d_ucf101": {"model.backbone.out_dim": 512, "model.cls_head.in_channels": 4096},
    "slic_csn_ucf101": {"model.backbone.depth": 50, **BOTTLENECKS},
    "slic_i3d_ucf101": BOTTLENECKS,
    "slic_mmpretrain_resnext_ucf101": {"model.backbone.depth": 50, **FRAMES},
    "slic_mobilenet_v2_tsm_ucf101": {"model.backbone.widen_factor": 0.25, **SHIFTED},
    "slic_mobilenet_v2_ucf101": {"model.backbone.widen_factor": 0.25, **FRAMES},
    "slic_mobileone_tsm_ucf101": {"model.backbone.arch": "s0", **SHIFTED},
    "slic_mvit_ucf101": {
        "model.backbone.arch": {
            "_delete_": True,
            "embed_dims": 8,
            "num_layers": 4,
            "num_heads": 1,
            "downscale_indices": [1, 2, 3],
        },
        "model.backbone.spatial_size": 32,
        "model.backbone.temporal_size": 8,
    },
    "slic_omni_resnet_ucf101": {"model.backbone.layers": [1, 1, 1, 1]},
    "slic_r2plus1d_ucf101": {"model.backbone.depth": 18, **BOTTLENECKS},
    "slic_r3d50_ucf101": BOTTLENECKS,
    "slic_slowfast_ucf101": {
        "model.backbone.slow_pathway.base_channels": 8,
        "model.backbone.fast_pathway.base_channels": 1,
    },
    "slic_slowonly_ucf101": BOTTLENECKS,
    "slic_swin_ucf101": {
        "model.backbone.arch": {
            "_delete_": True,
            "embed_dims": 8,
            "depths": [2, 2, 2, 2],
            "num_heads": [1, 2, 2, 2],
        },
        "model.backbone.window_size": (4, 4, 4),
    },
    "slic_tanet_ucf101": SHIFTED,
    "slic_timesformer_ucf101": {
        "model.backbone.img_size": 64,
        "model.backbone.embed_dims": 32,
        "model.backbone.num_heads": 2,
        "model.backbone.num_transformer_layers": 2,
    },
    "slic_timm_swin_ucf101": {
        "model.backbone.type": "timm.swin_tiny_patch4_window7_224",
        **FRAMES,
    },
    "slic_tin_ucf101": SHIFTED,
    "slic_torchvision_densenet_ucf101": {
        "model.backbone.type": "torchvision.densenet121",
        **FRAMES,
    },
    "slic_tsm_ucf101": {"model.backbone.depth": 18, **SHIFTED},
    "slic_tsn_ucf101": {"model.backbone.depth": 18, **FRAMES},
    "slic_uniformer_ucf101": {
        "model.backbone.depth": [1, 1, 1, 1],
        "model.backbone.embed_dim": [8, 16, 32, 64],
        "model.backbone.head_dim": 8,
    },
    "slic_uniformerv2_ucf101": {
        "model.backbone.input_resolution": 64,
        "model.backbone.width": 32,
        "model.backbone.layers": 4,
        "model.backbone.heads": 2,
        "model.backbone.return_list": [2, 3],
        "model.backbone.n_layers": 2,
        "model.backbone.n_dim": 32,
        "model.backbone.n_head": 2,
        "model.backbone.mlp_dropout": [0.5, 0.5],
    },
    "slic_videomae_ucf101": {
        "model.backbone.img_size": 32,
        "model.backbone.embed_dims": 32,
        "model.backbone.depth": 2,
        "model.backbone.num_heads": 2,
        "model.backbone.num_frames": 8,
    },
    "slic_x3d_ucf101": {"model.backbone.gamma_w": 0.3, "model.backbone.gamma_d": 1},
}

# Frames and pixels of a small clip, of most networks and of those that need others or are costly.
USUAL_CLIP = (8, 32)
CLIPS: dict[str, tuple[int, int]] = {
    **{
        name: (4, 16) for name, options in SMALL.items() if "model.cls_head.num_segments" in options
    },
    "slic_c2d_ucf101": (8, 16),
    "slic_c3d_ucf101": (16, 16),
    "slic_omni_resnet_ucf101": (8, 16),
    "slic_r3d50_ucf101": (8, 16),
    "slic_timesformer_ucf101": (8, 64),
    "slic_timm_swin_ucf101": (4, 224),
    "slic_torchvision_densenet_ucf101": (4, 32),
    "slic_uniformerv2_ucf101": (8, 64),
}
