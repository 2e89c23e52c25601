"""Configs of retrieval, kNN and linear probe hold what their protocol and name say."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from slic_mmaction.evaluation import PROTOCOLS
from slic_mmaction.evaluation.linear_probe import video_groups

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
        assert steps["Resize"]["scale"] == ((171, 128) if protocol.name == "iic" else (-1, 128))
        assert steps["CenterCrop"]["crop_size"] == 128
    assert steps["Resize"].get("keep_ratio", True) is (protocol.name != "iic")
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
    split = (re.findall(r"split(\d)", name.stem) or ["1"])[0]
    for part, of in ((query, "val"), (gallery, "train")):
        assert part.ann_file == f"data/{data}/{data}_{of}_split_{split}_videos.txt"
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
    ucf = ["a/v_PushUps_g01_c01.avi", "b/v_PushUps_g01_c04.mp4", "v_PushUps_g11_c01.avi",
           "v_Rowing_g01_c01.avi"]  # fmt: skip
    assert video_groups(ucf, patterns["ucf101"].group_pattern).tolist() == [0, 0, 1, 2]
    film = "April_09_brush_hair_u_nm_np{}_ba_goo_{}.avi"
    hmdb = [film.format(1, 0), film.format(1, 1), film.format(2, 0)]
    assert video_groups(hmdb, patterns["hmdb51"].group_pattern).tolist() == [0, 0, 1]
    assert "group_pattern" not in patterns["k400"]
