"""A tiny network, its videos and stored features."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import init_default_scope

from slic_mmaction.datasets import RetrievalDataset
from slic_mmaction.features import FeatureKey, FeatureSet, load_features
from slic_mmaction.features.feature_set import write_index
from slic_mmaction.features.shards import ShardWriter, read_shards

KEY = FeatureKey("weights", "config", "videos")


@pytest.fixture
def cfg(tiny_config) -> Config:
    init_default_scope("mmaction")
    return tiny_config()


@pytest.fixture
def model(cfg: Config) -> BaseModel:
    torch.manual_seed(0)
    return MODELS.build(cfg.model)


@pytest.fixture
def dataset(cfg: Config) -> RetrievalDataset:
    return DATASETS.build(cfg.test_dataloader.dataset)


@pytest.fixture
def stored(tmp_path: Path) -> Callable[..., FeatureSet]:
    """Write given rows of each video as shards, in a given order, and open them."""

    def write(rows: list[np.ndarray], order: list[int], shard_videos: int = 3) -> FeatureSet:
        folder = tmp_path / f"stored_{len(list(tmp_path.iterdir()))}"
        writer = ShardWriter(folder, KEY.digest, shard_videos)
        for video in order:
            writer.add(video, rows[video].astype(np.float32), "iic", (16, 16))
        writer.flush()
        names = [f"{i}.mp4" for i in range(len(rows))]
        write_index(folder, names, KEY, "backbone", list(read_shards(folder)))
        return load_features(folder)

    return write
