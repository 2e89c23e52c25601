"""Two CPU processes with gloo against one."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner

from slic_mmaction.features import load_features

PROGRAM = Path(__file__).with_name("evaluate_on_rank.py")

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("loop", ["FeatureTestLoop", "TestLoop"])
def test_every_query_counts_once(cfg: Config, model, video_set: Path, tmp_path, loop) -> None:
    """Seven gallery videos and three queries: uneven shares, uneven last batches."""
    for split, count in (("train", 7), ("test", 3)):
        lines = (video_set / f"{split}.txt").read_text().split("\n")[:count]
        (tmp_path / f"{split}.txt").write_text("\n".join(lines))
    cfg.test_dataloader.dataset.query.ann_file = str(tmp_path / "test.txt")
    cfg.test_dataloader.dataset.gallery.ann_file = str(tmp_path / "train.txt")
    cfg.test_dataloader.batch_size = 2
    cfg.test_evaluator = [
        dict(type="VideoRetrievalMetric", ks=(1, 5), mean_average_precision=True),
        dict(type="VideoKNNMetric", ks=(2,)),
        dict(type="LinearProbeMetric", lrs=(1.0,), weight_decays=(0.0,), epochs=3),
    ]
    torch.save(dict(meta={}, state_dict=model.state_dict()), tmp_path / "weights.pth")
    cfg.load_from = str(tmp_path / "weights.pth")
    cfg.test_cfg = dict(type=loop)
    if loop == "FeatureTestLoop":
        cfg.test_cfg.update(cache_dir=str(tmp_path / "two"), shard_videos=2)
    cfg.dump(str(tmp_path / "config.py"))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc_per_node=2", str(PROGRAM), str(tmp_path / "config.py"), str(tmp_path)]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=300,
        env=dict(os.environ, OMP_NUM_THREADS="1"),
    )
    assert done.returncode == 0, done.stderr[-3000:]
    if loop == "FeatureTestLoop":
        cfg.test_cfg.cache_dir = str(tmp_path / "one")
    alone = Runner.from_cfg(cfg).test()
    for rank in range(2):
        assert json.loads((tmp_path / f"rank_{rank}.json").read_text()) == pytest.approx(alone)
    if loop == "FeatureTestLoop":
        for folder in (tmp_path / "one").iterdir():
            one, two = load_features(folder), load_features(tmp_path / "two" / folder.name)
            assert one.names == two.names
            torch.testing.assert_close(one.means(), two.means(), atol=1e-5, rtol=1e-4)
