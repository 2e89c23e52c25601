"""A real Runner tests by stored features, on one rank and on two."""

from __future__ import annotations

import copy
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config
from mmengine.runner import Runner

from slic_mmaction.datasets import RetrievalDataset
from slic_mmaction.evaluation import load_features

METRICS = [
    dict(type="VideoRetrievalMetric", ks=(1, 5), mean_average_precision=True),
    dict(type="VideoKNNMetric", ks=(3,)),
]
TOOL = Path(__file__).parents[2] / "tools" / "extract_features.py"
LINEAR = [dict(type="LinearProbeMetric", epochs=3, lrs=(1.0,), weight_decays=(0.0,))]


def write_weights(cfg: Config, path: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    torch.save(dict(meta={}, state_dict=MODELS.build(cfg.model).state_dict()), path)
    return path


@pytest.fixture
def weights(cfg: Config, tmp_path: Path) -> Path:
    return write_weights(cfg, tmp_path / "epoch_1.pth", seed=0)


@pytest.fixture
def test(cfg: Config, weights: Path, tmp_path: Path) -> Callable[..., dict[str, float]]:
    """Test the weights by a loop; options go into the config."""
    count = iter(range(99))

    def run(loop: str = "FeatureTestLoop", **options) -> dict[str, float]:
        config = copy.deepcopy(cfg)
        number = next(count)
        config.experiment_name += f"-{number}"
        config.work_dir += f"/{number}"
        config.load_from = str(weights)
        config.test_evaluator = METRICS
        config.test_cfg = dict(type=loop)
        if loop == "FeatureTestLoop":
            config.test_cfg.update(cache_dir=str(tmp_path / "features"))
        config.merge_from_dict({key.replace("__", "."): v for key, v in options.items()})
        return Runner.from_cfg(config).test()

    return run


@pytest.fixture
def forbid_reading(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    def read(self, index: int) -> dict:
        raise AssertionError(f"video {index} was read again")

    return lambda: monkeypatch.setattr(RetrievalDataset, "__getitem__", read)


def test_features_are_computed_once_for_all_metrics_layers_and_labels(
    test, cfg: Config, weights: Path, video_set: Path, tmp_path: Path, forbid_reading
) -> None:
    stock = test("TestLoop")
    stock_backbone = test("TestLoop", model__cls_head__feature="backbone")
    first = test()
    assert first == stock and set(stock) == {
        "retrieval/R@1", "retrieval/R@5", "retrieval/mAP", "knn/center_4-frames_16px/k3_T0.07/top1",
        "knn/center_4-frames_16px/k3_T0.07/top5"}  # fmt: skip
    folders = sorted((tmp_path / "features").iterdir())
    assert sorted(len(load_features(folder)) for folder in folders) == [4, 8]

    forbid_reading()
    assert test() == first
    assert "linear/center_4-frames_16px/top1" in test(test_evaluator=LINEAR)
    backbone = test(model__cls_head__feature="backbone")
    assert backbone == stock_backbone and backbone["retrieval/mAP"] != first["retrieval/mAP"]
    assert "knn/center_4-frames_backbone-feature_16px/k3_T0.07/top1" in backbone
    lines = (video_set / "test.txt").read_text().split()
    flipped = "".join(f"{name} {1 - int(label)}\n" for name, label in zip(lines[::2], lines[1::2]))
    (tmp_path / "flipped.txt").write_text(flipped)
    other = test(test_dataloader__dataset__query__ann_file=str(tmp_path / "flipped.txt"))
    assert other["retrieval/R@1"] == 100 - first["retrieval/R@1"]

    # Every run says what its figures were made of, the stock loop's too.
    records = [json.loads(p.read_text()) for p in Path(cfg.work_dir).rglob("evaluation.json")]
    assert sum(record["figures"] == first for record in records) >= 3
    record = next(record for record in records if record["figures"] == first)
    assert (record["protocol"], record["name"]) == ("center", "center, 4 frames, 16px")
    assert (record["part"], record["epoch"], record["feature"]) == ("test", None, "projection")
    assert record["checkpoint"] == str(weights) and len(record["checkpoint_hash"]) == 64
    assert record["query"]["videos"] == 4 and record["gallery"]["videos"] == 8
    assert Path(record["gallery"]["ann_file"]).name == "train.txt"
    assert len(record["details"]["retrieval"]["per_class"]) == 2
    assert [r["seeds"] for r in records if "linear" in r["details"]] == [[0]]


def test_features_of_other_weights_or_settings_are_not_served(
    test, cfg: Config, weights: Path, tmp_path: Path
) -> None:
    """The authors' cache goes by the name of the checkpoint alone."""
    first = test()
    write_weights(cfg, weights, seed=1)
    second = test()
    assert second == test("TestLoop") and second["retrieval/mAP"] != first["retrieval/mAP"]
    test(model__data_preprocessor__mean=[0, 0, 0])
    assert len(list((tmp_path / "features").iterdir())) == 6


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


def test_weights_that_were_just_trained_need_no_file(
    cfg: Config, weights: Path, tmp_path: Path
) -> None:
    state = torch.load(weights, weights_only=False)["state_dict"]
    state = {name: value for name, value in state.items() if name.startswith("backbone.")}
    torch.save(dict(state_dict=state), tmp_path / "zoo.pth")
    cfg.load_from = str(tmp_path / "zoo.pth")
    cfg.test_evaluator = METRICS
    cfg.test_cfg = dict(type="FeatureTestLoop", cache_dir=str(tmp_path / "features"))
    runner = Runner.from_cfg(cfg)
    runner.train()
    assert "retrieval/R@1" in runner.test()


def test_what_it_cannot_evaluate_is_refused(
    test, cfg: Config, video_set: Path, tmp_path: Path, forbid_reading
) -> None:
    with pytest.raises(ValueError, match="name no retrieval protocol"):
        test(test_dataloader__dataset__pipeline={"5": dict(meta_keys=())})
    with pytest.raises(TypeError, match="cannot feed a AccMetric"):
        test(test_evaluator=[dict(type="AccMetric")])
    plain = dict(cfg.test_dataloader.dataset.query, pipeline=cfg.test_dataloader.dataset.pipeline)
    plain.pop("_scope_", None)
    with pytest.raises(TypeError, match="type RetrievalDataset, but it is VideoDataset"):
        test(test_dataloader__dataset=dict(plain, _delete_=True))
    # Labels that are missing are found before any video is read.
    forbid_reading()
    lines = (video_set / "train.txt").read_text().split()
    (tmp_path / "unlabelled.txt").write_text("".join(f"{name} -1\n" for name in lines[::2]))
    with pytest.raises(ValueError, match=r"one class for each video, .*unlabelled\.txt"):
        test(test_dataloader__dataset__gallery__ann_file=str(tmp_path / "unlabelled.txt"))


ON_RANK = """
import json, runpy, sys
from pathlib import Path
from mmengine.config import Config
from mmengine.dist import get_rank
from mmengine.runner import Runner

tool, out, weights, *configs = sys.argv[1:]
found = {name: Runner.from_cfg(Config.fromfile(name)).test() for name in configs}
(Path(out) / f"rank_{get_rank()}.json").write_text(json.dumps(found))
sys.argv = [tool, configs[0], weights, "--out", f"{out}/tool", "--launcher", "pytorch", "--npy"]
runpy.run_path(tool, run_name="__main__")
"""


@pytest.mark.slow
def test_two_ranks_find_what_one_finds(cfg: Config, weights: Path, video_set: Path, tmp_path: Path):
    """Seven gallery videos, three queries or one: uneven shares, also none, uneven batches."""
    (tmp_path / "on_rank.py").write_text(ON_RANK)
    configs = {}
    for queries, loop in ((3, "FeatureTestLoop"), (3, "TestLoop"), (1, "FeatureTestLoop")):
        config = copy.deepcopy(cfg)
        for split, role, count in (("train", "gallery", 7), ("test", "query", queries)):
            lines = (video_set / f"{split}.txt").read_text().split("\n")[:count]
            path = tmp_path / f"{split}_{count}.txt"
            path.write_text("\n".join(lines))
            config.test_dataloader.dataset[role].ann_file = str(path)
        config.test_dataloader.batch_size = 2
        config.test_evaluator = [*METRICS, *LINEAR]
        config.load_from = str(weights)
        config.test_cfg = dict(type=loop)
        if loop == "FeatureTestLoop":
            config.test_cfg.update(cache_dir=str(tmp_path / "two"), shard_videos=2)
        name = str(tmp_path / f"{loop}_{queries}.py")
        config.experiment_name = Path(name).stem
        config.launcher = "pytorch"
        config.dump(name)
        configs[name] = config
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command += [str(tmp_path / "on_rank.py"), str(TOOL), str(tmp_path), str(weights), *configs]
    environment = dict(os.environ, OMP_NUM_THREADS="1")
    done = subprocess.run(command, capture_output=True, text=True, timeout=600, env=environment)
    assert done.returncode == 0, done.stderr[-3000:]
    ranks = [json.loads((tmp_path / f"rank_{rank}.json").read_text()) for rank in range(2)]
    for name, config in configs.items():
        config.launcher = "none"
        config.experiment_name += "-alone"
        if "cache_dir" in config.test_cfg:
            config.test_cfg.cache_dir = str(tmp_path / "one")
        alone = Runner.from_cfg(config).test()
        for rank in ranks:
            assert rank[name] == pytest.approx(alone)
    for folder in (tmp_path / "one").iterdir():
        one, two = load_features(folder), load_features(tmp_path / "two" / folder.name)
        assert one.names == two.names
        torch.testing.assert_close(one.means(), two.means(), atol=1e-5, rtol=1e-4)
    # So does the tool that exports features.
    gallery = load_features(tmp_path / "tool" / "gallery")
    assert len(gallery) == 7 and len(list(gallery.folder.glob("*.npy"))) == 2
    np.testing.assert_array_equal(np.load(tmp_path / "tool" / "gallery.npy"), gallery.means())
