from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from mmaction.models import I3DHead
from mmaction.registry import DATASETS
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from slic_mmaction.datasets import RetrievalDataset
from slic_mmaction.evaluation import (
    FeatureKey,
    FeatureSet,
    clip_features,
    extract_features,
)
from slic_mmaction.evaluation.feature_set import Shard, read_index, read_shards
from slic_mmaction.evaluation.fingerprint import config_hash, videos_hash, weights_hash


class Watch:
    """Which videos were read, and at which one reading dies."""

    def __init__(self) -> None:
        self.read: list[int] = []
        self.dies_at = -1


@pytest.fixture
def watch(monkeypatch: pytest.MonkeyPatch) -> Watch:
    watch, real = Watch(), RetrievalDataset.__getitem__

    def read(self: RetrievalDataset, index: int) -> dict:
        if index == watch.dies_at:
            raise KeyboardInterrupt
        watch.read.append(index)
        return real(self, index)

    monkeypatch.setattr(RetrievalDataset, "__getitem__", read)
    return watch


@pytest.fixture
def extract(cfg, model, dataset, tmp_path: Path) -> Callable[..., FeatureSet]:
    """Extract four queries and eight gallery videos; returns the gallery's features."""

    def run(
        out: str = "out", batch_size: int = 3, num_workers: int = 0, **sizes: int
    ) -> FeatureSet:
        loader = DataLoader(dataset, batch_size, num_workers=num_workers)
        return extract_features(
            model,
            loader,
            cfg,
            lambda name, key: tmp_path / out / name,
            "projection",
            **dict(dict(shard_videos=2), **sizes),
        )["gallery"]

    return run


def shards_of(folder: Path) -> dict[Path, Shard]:
    return read_shards(folder, read_index(folder)[1])


def test_every_video_once_in_its_place_and_the_network_as_it_was(
    extract, watch, model, dataset
) -> None:
    model.train()
    model.backbone.layer1.eval()  # frozen
    modes = [module.training for module in model.modules()]
    before = copy.deepcopy(model.state_dict())
    features = extract()
    assert [module.training for module in model.modules()] == modes
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, before[name]), name
    assert all(p.grad is None for p in model.parameters())
    assert watch.read == list(range(12)) and features.protocol == "center, 4 frames"
    assert [len(shard.videos) for shard in shards_of(features.folder).values()] == [2] * 4
    model.eval()
    with torch.no_grad():
        predicted = model.test_step(pseudo_collate([dataset[4 + video] for video in range(8)]))
    for video, sample in enumerate(predicted):
        np.testing.assert_allclose(features[video][0], sample.embedding, atol=1e-5)

    # Neither the sizes of the work nor a second call matter.
    other = extract("other", batch_size=8, num_workers=2, clips_per_pass=3, shard_videos=99)
    torch.testing.assert_close(other.means(), features.means(), atol=1e-5, rtol=1e-4)
    assert len(shards_of(other.folder)) == 1
    watch.read = []
    assert torch.equal(extract().means(), features.means()) and watch.read == []

    # Those of other weights are not mixed in.
    with torch.no_grad():
        model.cls_head.projection[-1].bias[0] = torch.nan
    with pytest.raises(ValueError, match="holds features of other weights"):
        extract()
    with pytest.raises(ValueError, match=r"feature of .*test_0\.mp4 is not finite"):
        extract(out="diverged")


def test_a_killed_run_goes_on_where_it_was(extract, watch) -> None:
    watch.dies_at = 9
    with pytest.raises(KeyboardInterrupt):
        extract()
    watch.dies_at, watch.read = -1, []
    features = extract()
    # It died in the gallery's second batch of three; of the first, a shard of two was safe.
    assert watch.read == [6, 7, 8, 9, 10, 11]
    # A shard without the line that ends it is not there.
    file, shard = next(iter(shards_of(features.folder).items()))
    file.with_suffix(".json").unlink()
    watch.read = []
    assert torch.equal(extract().means(), features.means())
    assert [i - 4 for i in watch.read] == shard.videos


class Neck(torch.nn.Conv3d):
    """A neck as of MMAction2, which also returns losses of its own."""

    def forward(self, features: torch.Tensor, data_samples: Any = None) -> tuple[Any, dict]:
        return super().forward(features).sin(), {}


@pytest.mark.parametrize("layer", ["projection", "backbone"])
@pytest.mark.parametrize("with_neck", [False, True])
def test_clips_of_videos_of_any_number_in_any_passes(
    model, dataset, layer: str, with_neck: bool
) -> None:
    """Videos of 1 to 4 clips; a clip alone, and the mean, are what the head predicts."""
    if with_neck:
        model.neck = Neck(32, 32, 1)
    model.eval()
    model.cls_head.feature = layer
    batch = pseudo_collate([dataset[i] for i in range(4)])
    batch["inputs"] = [
        torch.cat([clips.roll(k, dims=-1) for k in range(i + 1)])
        for i, clips in enumerate(batch["inputs"])
    ]
    found = clip_features(model, batch, layer, 100)
    for clips_per_pass in (1, 2, 3):
        again = clip_features(model, batch, layer, clips_per_pass)
        torch.testing.assert_close(again, found, atol=1e-5, rtol=1e-4)
    for clips, sample, rows in zip(batch["inputs"], batch["data_samples"], found):
        assert rows.shape[0] == len(clips) and rows.dtype == torch.float32
        for part, expected in ((clips[:1], rows[0]), (clips, rows.mean(0))):
            with torch.no_grad():
                predicted = model.test_step(dict(inputs=[part], data_samples=[sample]))
            torch.testing.assert_close(expected, predicted[0].embedding, atol=1e-5, rtol=1e-4)


def test_a_network_without_a_projection_is_named(extract, model) -> None:
    model.cls_head = I3DHead(num_classes=3, in_channels=32)
    with pytest.raises(ValueError, match="I3DHead, which has no projection"):
        extract()


def test_the_hash_counts_every_weight_and_statistic_of_a_layer(model) -> None:
    model.neck = Neck(2, 2, 1)
    first = weights_hash(model, "projection")
    backbone = weights_hash(model, "backbone")
    assert weights_hash(copy.deepcopy(model), "projection") == first
    seen = {first}
    for name, tensor in model.state_dict().items():
        before = tensor.clone()
        tensor.view(-1)[-1] += 1
        digest = weights_hash(model, "projection")
        assert digest not in seen, name
        seen.add(digest)
        assert (weights_hash(model, "backbone") == backbone) == name.startswith("cls_head")
        tensor.copy_(before)
    assert weights_hash(model, "projection") == first
    assert weights_hash(model.bfloat16(), "backbone") != backbone  # precision counts


def test_settings_that_change_features(cfg) -> None:
    def digest(change: str) -> str:
        names = dict(cfg=copy.deepcopy(cfg), layer="projection", half=False)
        names["pipeline"] = names["cfg"].test_dataloader.dataset.pipeline
        exec(change, {}, names)
        return config_hash(names["cfg"].model, names["pipeline"], names["layer"], names["half"])

    for change, differs in {
        "cfg.model.data_preprocessor.mean = [0, 0, 0]": True,
        "cfg.model.cls_head.hidden_channels = 5": True,
        "cfg.model.neck = dict(type='Neck')": True,
        "pipeline[1]['clip_len'] = 5": True,
        "pipeline.pop(3)": True,
        "layer = 'backbone'": True,
        "half = True": True,
        "cfg.model.cls_head.losses = []": False,
        "pipeline[1] = dict(reversed(list(pipeline[1].items())))": False,
    }.items():
        assert (digest(change) != digest("pass")) == differs, change


def test_videos_are_known_by_path_order_and_content(video_set: Path, tmp_path: Path) -> None:
    for name in ("test_0.mp4", "test_1.mp4"):
        (tmp_path / name).write_bytes((video_set / name).read_bytes())

    def digest(*lines: str) -> str:
        (tmp_path / "list.txt").write_text("\n".join(lines))
        prefix = dict(video=str(tmp_path))
        options = dict(ann_file=str(tmp_path / "list.txt"), data_prefix=prefix, pipeline=[])
        return videos_hash(DATASETS.build(dict(type="VideoDataset", **options)))

    first = digest("test_0.mp4 0", "test_1.mp4 1")
    assert digest("test_0.mp4 5", "test_1.mp4 0") == first  # labels play no part
    assert digest("test_1.mp4 1", "test_0.mp4 0") != first
    assert digest("test_0.mp4 0") != first
    assert digest("test_0.mp4 0", "absent.mp4 1") != first
    (tmp_path / "test_1.mp4").write_bytes((video_set / "test_2.mp4").read_bytes())
    assert digest("test_0.mp4 0", "test_1.mp4 1") != first

    def digest_of_frames(line: str, **options: Any) -> str:
        (tmp_path / "frames.txt").write_text(line)
        options.update(type="RawframeDataset", ann_file=str(tmp_path / "frames.txt"), pipeline=[])
        return videos_hash(DATASETS.build(options))

    parts = [digest_of_frames(f"v {offset} 30 0", with_offset=True) for offset in (0, 30)]
    assert len({*parts, digest_of_frames("v 30 0"), digest_of_frames("v 30 0", start_index=0)}) == 4
    keys = [FeatureKey(*"abc"), FeatureKey(*"abd"), FeatureKey(*"acb"), FeatureKey("ab", "", "c")]
    assert len({key.digest for key in keys}) == 4
