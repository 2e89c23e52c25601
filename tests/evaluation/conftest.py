"""A tiny network, its videos, and features in memory and on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmengine.config import Config
from mmengine.model import BaseModel

from slic_mmaction.datasets import RetrievalDataset
from slic_mmaction.evaluation import FeatureKey, FeatureSet, gallery_metric, load_features
from slic_mmaction.evaluation.feature_set import write_index, write_shard

KEY = FeatureKey("weights", "config", "videos")


@pytest.fixture
def cfg(tiny_config) -> Config:
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
        write_index(folder, [f"{i}.mp4" for i in range(len(rows))], KEY, "backbone")
        for start in range(0, len(order), shard_videos):
            part = {i: rows[i].astype(np.float32) for i in order[start : start + shard_videos]}
            write_shard(folder, KEY, part, "iic", (128, 128))
        return load_features(folder)

    return write


@pytest.fixture
def videos() -> Callable[..., FeatureSet]:
    """Make features of three classes, one of each video, four videos from each recording."""

    def make(
        count: int,
        seed: int,
        noise: float = 0.6,
        scale: float = 1.0,
        protocol: str = "iic",
        layer: str = "projection",
    ) -> FeatureSet:
        rng = np.random.default_rng(seed)
        labels = np.arange(count) // 4 % 3
        rows = np.eye(3, 8)[labels] + noise * rng.normal(size=(count, 8))
        names = [f"v_C{label}_g{i // 4:02d}_c{i % 4}.avi" for i, label in enumerate(labels)]
        return FeatureSet.in_memory(
            names, (scale * rows).astype(np.float32), [1] * count, layer, protocol, None, labels
        )

    return make


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What metrics log."""
    said: list[str] = []
    monkeypatch.setattr(gallery_metric, "print_log", lambda line, **_: said.append(line))
    return said
