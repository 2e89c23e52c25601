"""A real Runner tests by stored features."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner import Runner

from slic_mmaction.datasets import RetrievalDataset
from slic_mmaction.evaluation import VideoRetrievalMetric
from slic_mmaction.features import FeatureTestLoop, load_features

METRICS = [
    dict(type="VideoRetrievalMetric", ks=(1, 5), mean_average_precision=True),
    dict(type="VideoKNNMetric", ks=(3,)),
]


def write_weights(cfg: Config, path: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    torch.save(dict(meta={}, state_dict=MODELS.build(cfg.model).state_dict()), path)
    return path


@pytest.fixture
def weights(cfg: Config, tmp_path: Path) -> Path:
    return write_weights(cfg, tmp_path / "epoch_1.pth", seed=0)


@pytest.fixture
def test(cfg: Config, weights: Path, tmp_path: Path):
    """Test the weights by a loop; options go into the config."""
    count = iter(range(99))

    def run(loop: str = "FeatureTestLoop", **options) -> dict[str, float]:
        config = copy.deepcopy(cfg)
        config.experiment_name += f"-{next(count)}"
        config.load_from = str(weights)
        config.test_evaluator = METRICS
        config.test_cfg = dict(type=loop)
        if loop == "FeatureTestLoop":
            config.test_cfg.update(cache_dir=str(tmp_path / "features"))
        config.merge_from_dict({key.replace("__", "."): v for key, v in options.items()})
        return Runner.from_cfg(config).test()

    return run


def forbid_reading(monkeypatch) -> None:
    def read(self, index: int) -> dict:
        raise AssertionError(f"video {index} was read again")

    monkeypatch.setattr(RetrievalDataset, "__getitem__", read)


def test_figures_are_those_of_the_stock_loop(test, tmp_path: Path) -> None:
    stock = test("TestLoop")
    assert test() == stock
    assert set(stock) == {"retrieval/R@1", "retrieval/R@5", "retrieval/mAP",
                          "knn/center_4-frames_16px/k3_T0.07/top1",
                          "knn/center_4-frames_16px/k3_T0.07/top5"}  # fmt: skip
    folders = sorted((tmp_path / "features").iterdir())
    assert sorted(len(load_features(folder)) for folder in folders) == [4, 8]


def test_features_are_computed_once(test, monkeypatch) -> None:
    first = test()
    forbid_reading(monkeypatch)
    assert test() == first
    # Another metric on the same features.
    linear = [dict(type="LinearProbeMetric", epochs=3, lrs=(1.0,), weight_decays=(0.0,))]
    assert "linear/center_4-frames_16px/top1" in test(test_evaluator=linear)


def test_projection_and_backbone_share_features(test, monkeypatch) -> None:
    stock = test("TestLoop", model__cls_head__feature="backbone")
    projection = test()
    forbid_reading(monkeypatch)
    backbone = test(model__cls_head__feature="backbone")
    assert backbone == stock
    assert "knn/center_4-frames_backbone-feature_16px/k3_T0.07/top1" in backbone
    assert backbone["retrieval/mAP"] != projection["retrieval/mAP"]


def test_new_weights_of_the_same_name_are_not_served_old_features(
    test, cfg: Config, weights: Path, tmp_path: Path
) -> None:
    """The defect of the authors' cache (docs/method.md)."""
    test()
    old = {path.name for path in (tmp_path / "features").iterdir()}
    write_weights(cfg, weights, seed=1)
    second = test()
    assert second == test("TestLoop")
    new = {path.name for path in (tmp_path / "features").iterdir()} - old
    assert len(new) == 2
    features = {
        len(load_features(path)): load_features(path).means().numpy()
        for path in (tmp_path / "features").iterdir()
        if path.name in old
    }
    for name in new:
        stored = load_features(tmp_path / "features" / name)
        assert not np.allclose(stored.means().numpy(), features[len(stored)], atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize(
    "options",
    [
        dict(model__data_preprocessor__mean=[0, 0, 0]),
        dict(test_dataloader__dataset__pipeline={"3": dict(scale=(24, 24))}),
    ],
    ids=["normalisation", "pipeline"],
)
def test_other_settings_are_not_served_old_features(test, tmp_path: Path, options: dict) -> None:
    test()
    test(**options)
    assert len(list((tmp_path / "features").iterdir())) == 4


def test_labels_may_change(test, cfg: Config, video_set: Path, tmp_path: Path, monkeypatch) -> None:
    """Features do not depend on them, and they are not kept with them."""
    before = test()
    forbid_reading(monkeypatch)
    lines = (video_set / "test.txt").read_text().split()
    flipped = "".join(f"{name} {1 - int(label)}\n" for name, label in zip(lines[::2], lines[1::2]))
    (tmp_path / "flipped.txt").write_text(flipped)
    after = test(test_dataloader__dataset__query__ann_file=str(tmp_path / "flipped.txt"))
    assert after["retrieval/R@1"] == 100 - before["retrieval/R@1"]


def test_the_record_says_what_figures_were_made_of(test, cfg: Config, weights: Path) -> None:
    figures = test()
    (path,) = Path(cfg.work_dir).glob("*/evaluation.json")
    record = json.loads(path.read_text())
    assert record["figures"] == figures
    assert (record["protocol"], record["name"]) == ("center", "center, 4 frames, 16px")
    assert record["feature"] == "projection"
    assert record["checkpoint"] == str(weights) and len(record["checkpoint_hash"]) == 64
    assert record["query"]["videos"] == 4 and record["gallery"]["videos"] == 8
    assert Path(record["gallery"]["ann_file"]).name == "train.txt"
    assert len(record["details"]["retrieval"]["per_class"]) == 2


@pytest.mark.slow
def test_a_checkpoint_of_another_network_is_refused(test, weights: Path) -> None:
    state = torch.load(weights, weights_only=True)["state_dict"]
    renamed = {name.replace("backbone.", ""): tensor for name, tensor in state.items()}
    torch.save(dict(state_dict=renamed), weights)
    with pytest.raises(ValueError, match=r"lacks \d+ weights of the projection feature"):
        test()
    # Old checkpoints lack the counters of BatchNorm, which nothing here reads.
    kept = {n: t for n, t in state.items() if "num_batches_tracked" not in n}
    torch.save(dict(state_dict=kept), weights)
    assert "retrieval/R@1" in test()
    backbone = {n: t for n, t in state.items() if n.startswith("backbone.")}
    torch.save(dict(state_dict=backbone), weights)
    assert "retrieval/R@1" in test(model__cls_head__feature="backbone")
    with pytest.raises(ValueError, match=r"first cls_head\.projection"):
        test()


def test_protocols_must_be_named(test) -> None:
    with pytest.raises(ValueError, match="name no retrieval protocol"):
        test(test_dataloader__dataset__pipeline={"5": dict(meta_keys=())})


def test_other_datasets_and_metrics_are_refused(test, cfg: Config, video_set: Path) -> None:
    with pytest.raises(TypeError, match="cannot feed a AccMetric"):
        test(test_evaluator=[dict(type="AccMetric")])
    plain = dict(cfg.test_dataloader.dataset.query, pipeline=cfg.test_dataloader.dataset.pipeline)
    plain.pop("_scope_", None)
    with pytest.raises(TypeError, match="type RetrievalDataset, but it is VideoDataset"):
        test(test_dataloader__dataset=dict(plain, _delete_=True))


def test_it_is_a_loop_of_mmengine() -> None:
    assert FeatureTestLoop.__mro__[1].__name__ == "TestLoop"
    assert VideoRetrievalMetric.default_prefix == "retrieval"
