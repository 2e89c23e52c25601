"""OpenVideo and DecodeFrames in a pipeline, instead of MMAction2's own."""

from __future__ import annotations

import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmaction.registry import TRANSFORMS
from mmengine.dataset import Compose

from slic_mmaction.decoding import UnreadableVideoError

SAMPLERS = [
    dict(type="SampleFrames", clip_len=4, num_clips=2),
    dict(type="SampleFrames", clip_len=4, frame_interval=2, num_clips=3, test_mode=True),
    dict(type="UniformSample", clip_len=6),
    dict(type="DenseSampleFrames", clip_len=4, num_clips=2),
    dict(type="SampleFrames", clip_len=4, target_fps=10, test_mode=True),
    dict(type="SampleViewFrames", clip_len=4),
    dict(type="SampleProtocolClips", clip_len=4),
]


def sample(path: Path, *steps: dict, **keys: object) -> dict:
    np.random.seed(0)
    views = ("anchor", "positive", "anchor")
    info = dict(filename=str(path), start_index=0, modality="RGB", views=views, **keys)
    return Compose(list(steps))(info)


@pytest.mark.parametrize("decoder", ["auto", "pyav", "decord"])
@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda step: step["type"])
def test_it_stands_where_decord_stood(video_set: Path, sampler: dict, decoder: str) -> None:
    pytest.importorskip("decord")
    path = video_set / "train_6.mp4"
    stock = sample(path, dict(type="DecordInit"), sampler, dict(type="DecordDecode"))
    ours = sample(path, dict(type="OpenVideo", decoder=decoder), sampler, dict(type="DecodeFrames"))
    assert ours["total_frames"] == stock["total_frames"] == 30
    assert ours["avg_fps"] == pytest.approx(stock["avg_fps"])
    assert np.array_equal(ours["frame_inds"], stock["frame_inds"])
    assert ours["img_shape"] == ours["original_shape"] == stock["img_shape"] == (32, 40)
    assert ours["video_reader"] is None and "lost_frames" not in ours
    assert max(cv2.absdiff(a, b).max() for a, b in zip(ours["imgs"], stock["imgs"])) <= 2
    assert len(ours["imgs"]) == len(stock["imgs"])


def test_overlapping_clips_share_frames_that_nobody_can_write(video_set: Path) -> None:
    path = video_set / "train_0.mp4"  # 5 frames: the clip of 8 is looped
    results = sample(
        path,
        dict(type="OpenVideo"),
        dict(type="SampleViewFrames", clip_len=8),
        dict(type="DecodeFrames"),
    )
    imgs = results["imgs"]
    assert len(imgs) == 24 and len({id(img) for img in imgs}) == 5
    assert not any(img.flags.writeable for img in imgs)
    with pytest.raises(cv2.error, match="readonly"):
        Compose([dict(type="Flip", flip_ratio=1.0)])(results)
    for step in (
        dict(type="Resize", scale=(-1, 16)),
        dict(type="Flip", flip_ratio=1.0),
        dict(type="FormatShape", input_format="NCTHW"),
    ):
        results = Compose([step])(results)
    assert np.array_equal(results["imgs"][0], results["imgs"][2])


def raw_frames(folder: Path, count: int) -> None:
    folder.mkdir()
    for t in range(count):
        image = np.full((20, 24, 3), 10 * t, np.uint8)
        cv2.imwrite(str(folder / f"img_{t + 1:05}.jpg"), image)


def greys(results: dict) -> list[int]:
    return [round(float(img.mean()) / 10) for img in results["imgs"]]


def test_raw_frames_by_one_field(tmp_path: Path) -> None:
    raw_frames(tmp_path / "v", 20)
    sampler = dict(type="SampleViewFrames", clip_len=4)
    results = sample(
        tmp_path / "v.avi",
        dict(type="OpenVideo", decoder="rawframes"),
        sampler,
        dict(type="DecodeFrames"),
    )
    assert results["total_frames"] == 20 and greys(results) == results["frame_inds"].tolist()


def test_raw_frames_of_a_rawframe_dataset(tmp_path: Path) -> None:
    raw_frames(tmp_path / "v", 20)
    keys = dict(
        frame_dir=str(tmp_path / "v"), filename_tmpl="img_{:05}.jpg", start_index=1, modality="RGB"
    )
    sampler = dict(type="SampleFrames", clip_len=4, test_mode=True, num_clips=1)
    for offset, total in ((0, 20), (8, 10)):
        info = dict(keys, offset=offset, total_frames=total)
        np.random.seed(0)
        ours = Compose([dict(type="OpenVideo"), sampler, dict(type="DecodeFrames")])(dict(info))
        stock = Compose([sampler, dict(type="RawFrameDecode")])(dict(info))
        assert all(np.array_equal(a, b) for a, b in zip(ours["imgs"], stock["imgs"]))
        first = (total - 4) // 2 + offset
        assert greys(ours)[0] == pytest.approx(first, abs=1)
    flow = dict(keys, modality="Flow", total_frames=20)
    with pytest.raises(ValueError, match="modality is 'Flow'; use RawFrameDecode"):
        Compose([dict(type="OpenVideo")])(flow)


def test_a_truncated_video_says_how_much_is_lost(video_set: Path, tmp_path: Path) -> None:
    pytest.importorskip("av")
    path = tmp_path / "v.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (40, 32))
    for t in range(30):
        writer.write(np.full((32, 40, 3), 8 * t, np.uint8))
    writer.release()
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * 0.7)])
    results = sample(
        path,
        dict(type="OpenVideo"),
        dict(type="SampleFrames", clip_len=30, test_mode=True),
        dict(type="DecodeFrames"),
    )
    length = results["total_frames"]
    assert 10 < length < 30 and results["lost_frames"] == 30 - length
    shown = [round(float(img.mean()) / 8) for img in results["imgs"]]
    assert shown[: length - 1] == list(range(length - 1)) and shown[length] == 0


def test_bad_settings_and_files_are_named(video_set: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="num_threads of at least 1, but got 0"):
        TRANSFORMS.build(dict(type="OpenVideo", num_threads=0))
    with pytest.raises(ValueError, match="no decoder 'decrod'"):
        TRANSFORMS.build(dict(type="OpenVideo", decoder="decrod"))
    with pytest.raises(UnreadableVideoError, match=r"nowhere\.mp4 does not exist"):
        sample(tmp_path / "nowhere.mp4", dict(type="OpenVideo"))
    assert "decoder='auto', num_threads=1" in repr(TRANSFORMS.build(dict(type="OpenVideo")))


def test_odd_names(video_set: Path, tmp_path: Path) -> None:
    for name in ("50% #1 & ü.mp4", "a b.mp4", "%05d.mp4"):
        shutil.copy(video_set / "train_1.mp4", tmp_path / name)
        for decoder in ("auto", "decord"):
            results = sample(tmp_path / name, dict(type="OpenVideo", decoder=decoder))
            assert results["total_frames"] == 15
