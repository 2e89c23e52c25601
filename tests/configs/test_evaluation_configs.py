"""Configs of retrieval, kNN and linear probe hold what their protocol and name say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from slic_mmaction.evaluation import PROTOCOLS
from slic_mmaction.probe import video_groups

CONFIGS = Path(__file__).parents[2] / "configs"
EVALUATIONS = sorted(
    path.relative_to(CONFIGS)
    for folder in ("retrieval", "knn", "linear")
    for path in (CONFIGS / folder).glob("*.py")
)


@pytest.mark.parametrize("name", EVALUATIONS, ids=str)
def test_clips_are_the_protocols_and_videos_those_of_the_name(name: Path, load) -> None:
    cfg = load(name.as_posix())
    steps = {step["type"]: step for step in cfg.test_dataloader.dataset.pipeline}
    clips = steps["SampleProtocolClips"]
    protocol = PROTOCOLS[clips["protocol"]]
    assert (protocol.name == "coclr") == ("coclr" in name.stem)
    if "slim" not in name.stem:
        assert clips == dict(type="SampleProtocolClips", protocol=protocol.name)
        assert steps["Resize"]["scale"] == protocol.scale
        assert steps["CenterCrop"]["crop_size"] == protocol.crop_size
    assert steps["Resize"].get("keep_ratio", True) is protocol.keep_ratio
    feature = cfg.model.cls_head.get("feature", "projection")
    assert feature == (protocol.feature if name.parts[0] == "retrieval" else "backbone")
    assert cfg.test_cfg == dict(type="FeatureTestLoop", cache_dir="work_dirs/features")
    kinds = dict(retrieval="VideoRetrievalMetric", knn="VideoKNNMetric", linear="LinearProbeMetric")
    assert cfg.test_evaluator.type == kinds[name.parts[0]]

    query, gallery = (cfg.test_dataloader.dataset[role] for role in ("query", "gallery"))
    data = re.findall("ucf101|hmdb51|k400", name.stem)[-1]
    if data == "k400":
        assert query.ann_file == "data/kinetics400/kinetics400_val_list_videos.txt"
        assert gallery.ann_file == "data/kinetics400/kinetics400_train_list_videos.txt"
        assert cfg.model.data_preprocessor.mean == [110.7975, 103.3005, 96.2625]
        return
    found = re.search(r"split(\d)", name.stem)
    split = found[1] if found else "1"
    assert query.ann_file == f"data/{data}/{data}_val_split_{split}_videos.txt"
    assert gallery.ann_file == f"data/{data}/{data}_train_split_{split}_videos.txt"
    for part in (query, gallery):
        assert part.data_prefix == dict(video=f"data/{data}/videos")


def test_every_split_has_its_configs() -> None:
    for data in ("ucf101", "hmdb51"):
        for stem in (f"retrieval/slic_r3d_{data}", f"retrieval/slic_r3d_{data}_coclr",
                     f"knn/slic_r3d_{data}", f"linear/slic_r3d_{data}"):  # fmt: skip
            for split in ("", "_split2", "_split3"):
                assert (CONFIGS / f"{stem}{split}.py").is_file()


def test_groups_of_the_linear_probe(load) -> None:
    patterns = {
        data: load(f"linear/slic_r3d_{data}.py").test_evaluator
        for data in ("ucf101", "hmdb51", "k400")
    }
    ucf = ["v_PushUps_g01_c01.avi", "v_PushUps_g01_c04.avi", "v_PushUps_g11_c01.avi"]
    assert video_groups(ucf, patterns["ucf101"].group_pattern).tolist() == [0, 0, 1]
    hmdb = ["a_goo_0.avi", "a_goo_1.avi", "b_goo_0.avi"]
    assert video_groups(hmdb, patterns["hmdb51"].group_pattern).tolist() == [0, 0, 1]
    assert "group_pattern" not in patterns["k400"]
