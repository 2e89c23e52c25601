from __future__ import annotations

import copy
from pathlib import Path

import pytest
import torch
from mmaction.registry import DATASETS

from slic_mmaction.features import FeatureKey, config_hash, videos_hash, weights_hash


def test_every_weight_and_statistic_counts(model) -> None:
    seen = {weights_hash(model, "projection")}
    assert weights_hash(copy.deepcopy(model), "projection") in seen
    state = model.state_dict()
    for name, tensor in state.items():
        before = tensor.clone()
        tensor.view(-1)[-1] += 1
        digest = weights_hash(model, "projection")
        assert digest not in seen, name
        seen.add(digest)
        tensor.copy_(before)
    assert weights_hash(model, "projection") in seen


def test_the_head_counts_for_the_projection_only(model) -> None:
    before = {layer: weights_hash(model, layer) for layer in ("backbone", "projection")}
    with torch.no_grad():
        model.cls_head.projection[0].bias += 1
    assert weights_hash(model, "backbone") == before["backbone"]
    assert weights_hash(model, "projection") != before["projection"]


def test_precision_counts(model) -> None:
    single = weights_hash(model, "backbone")
    assert weights_hash(model.bfloat16(), "backbone") != single


@pytest.mark.parametrize(
    ("change", "differs"),
    [
        ("cfg.model.data_preprocessor.mean = [0, 0, 0]", True),
        ("cfg.model.backbone.depth = 34", True),
        ("cfg.model.cls_head.hidden_channels = 5", True),
        ("pipeline[1]['clip_len'] = 5", True),
        ("pipeline.pop(3)", True),
        ("layer = 'backbone'", True),
        ("half = True", True),
        ("cfg.model.cls_head.losses = []", False),
        ("cfg.model.test_cfg = dict(max_testing_views=2)", False),
        ("pipeline[1] = dict(reversed(list(pipeline[1].items())))", False),
    ],
)
def test_settings_that_change_features(cfg, change: str, differs: bool) -> None:
    pipeline = copy.deepcopy(cfg.test_dataloader.dataset.pipeline)
    names = dict(cfg=cfg, pipeline=pipeline, layer="projection", half=False)
    before = config_hash(cfg.model, pipeline, "projection", False)
    exec(change, {}, names)
    after = config_hash(cfg.model, pipeline, names["layer"], names["half"])
    assert (after != before) == differs


def test_videos(video_set: Path, tmp_path: Path) -> None:
    for name in ("test_0.mp4", "test_1.mp4"):
        (tmp_path / name).write_bytes((video_set / name).read_bytes())

    def digest(*lines: str) -> str:
        (tmp_path / "list.txt").write_text("\n".join(lines))
        videos = DATASETS.build(
            dict(
                type="VideoDataset",
                ann_file=str(tmp_path / "list.txt"),
                data_prefix=dict(video=str(tmp_path)),
                pipeline=[],
            )
        )
        return videos_hash(videos)

    first = digest("test_0.mp4 0", "test_1.mp4 1")
    assert digest("test_0.mp4 5", "test_1.mp4 0") == first  # labels play no part
    assert digest("test_1.mp4 1", "test_0.mp4 0") != first
    assert digest("test_0.mp4 0") != first
    assert digest("test_0.mp4 0", "absent.mp4 1") != first
    (tmp_path / "test_1.mp4").write_bytes((video_set / "test_2.mp4").read_bytes())
    assert digest("test_0.mp4 0", "test_1.mp4 1") != first


def test_a_digest_stands_for_all_three() -> None:
    keys = [FeatureKey(*"abc"), FeatureKey(*"abd"), FeatureKey(*"acb"), FeatureKey("ab", "", "c")]
    assert len({key.digest for key in keys}) == 4
