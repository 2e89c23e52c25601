from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.utils.data import Dataset

from slic_mmaction.features import Extraction, FeatureKey, FeatureSet, extract_features
from slic_mmaction.features.shards import read_shards

KEY = FeatureKey("weights", "config", "videos")
HOW = Extraction("projection", batch_size=3, num_workers=0, shard_videos=2)


class Watched(Dataset):
    """Notes which videos are read, and dies at one of them."""

    def __init__(self, dataset: Dataset) -> None:
        self.dataset = dataset
        self.read: list[int] = []
        self.dies_at = -1

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict:
        if index == self.dies_at:
            raise KeyboardInterrupt
        self.read.append(index)
        return self.dataset[index]


@pytest.fixture
def watched(dataset) -> Watched:
    return Watched(dataset)


@pytest.fixture
def extract(model, watched: Watched, tmp_path: Path) -> Callable[..., FeatureSet]:
    """Extract the gallery of eight videos, which are numbers 4 to 11 of the dataset."""

    def run(key: FeatureKey = KEY, how: Extraction = HOW) -> FeatureSet:
        names = [f"{i}.mp4" for i in range(8)]
        return extract_features(model, watched, range(4, 12), names, tmp_path / "out", key, how)

    return run


def test_every_video_once_in_its_place(extract, watched, model, dataset) -> None:
    features = extract()
    assert watched.read == list(range(4, 12))
    assert [len(shard.videos) for shard in read_shards(features.folder)] == [2] * 4
    assert features.index["protocol"] == "center, 4 frames"
    model.eval()
    for video in range(8):
        sample = dataset[4 + video]
        batch = dict(inputs=[sample["inputs"]], data_samples=[sample["data_samples"]])
        with torch.no_grad():
            (predicted,) = model.test_step(batch)
        np.testing.assert_allclose(features[video][0], predicted.embedding, atol=1e-5)


def test_a_killed_run_goes_on_where_it_was(extract, watched) -> None:
    watched.dies_at = 9
    with pytest.raises(KeyboardInterrupt):
        extract()
    watched.dies_at, watched.read = -1, []
    features = extract()
    # It died in the second batch of three; of the first, a shard of two was safe.
    assert watched.read == [6, 7, 8, 9, 10, 11]
    before = features.means()
    watched.read = []
    assert torch.equal(extract().means(), before) and watched.read == []


def test_an_unfinished_shard_is_not_there(extract, watched) -> None:
    features = extract()
    (features.folder / "index.json").unlink()
    shard = next(iter(read_shards(features.folder)))
    (features.folder / shard.file).with_suffix(".json").unlink()
    watched.read = []
    again = extract()
    assert [i - 4 for i in watched.read] == shard.videos
    assert torch.equal(again.means(), features.means())


def test_the_sizes_of_the_work_do_not_matter(extract, tmp_path) -> None:
    one = extract().means()
    (tmp_path / "out").rename(tmp_path / "old")
    how = Extraction("projection", batch_size=8, num_workers=2, clips_per_pass=3, shard_videos=99)
    two = extract(how=how)
    torch.testing.assert_close(two.means(), one, atol=1e-5, rtol=1e-4)
    assert len(list(read_shards(two.folder))) == 1


def test_other_features_are_not_mixed_in(extract) -> None:
    extract()
    with pytest.raises(ValueError, match="holds features of other weights"):
        extract(key=FeatureKey("other weights", "config", "videos"))


def test_the_network_is_left_as_it_was(extract, model) -> None:
    """Frozen, its BatchNorm statistics too."""
    model.train()
    model.backbone.layer1.eval()
    modes = [module.training for module in model.modules()]
    before = copy.deepcopy(model.state_dict())
    extract()
    assert [module.training for module in model.modules()] == modes
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert all(p.grad is None for p in model.parameters())


def test_a_diverged_network_is_named(extract, model) -> None:
    with torch.no_grad():
        model.cls_head.projection[-1].bias[0] = torch.nan
    with pytest.raises(ValueError, match=r"feature of 0\.mp4 is not finite"):
        extract()
