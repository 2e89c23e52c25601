from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest

from slic_mmaction.datasets import ClusterAwareDataset
from slic_mmaction.flow.estimate import video_flow
from slic_mmaction.flow.images import to_levels
from slic_mmaction.flow.store import FlowSettings, stored_path, write_flow
from slic_mmaction.transforms import FlowView, FrameDifference, flow_view

NUM_FRAMES = 20
CLIP_LEN = 4
VIEWS = ("anchor", "positive", "anchor")


def frame(number: int, speed: int = 2, size: tuple[int, int] = (96, 64)) -> np.ndarray:
    """A texture that moves to the right by ``speed`` pixels in each frame."""
    width, height = size
    noise = np.random.default_rng(0).integers(0, 256, (height // 4, width // 4, 3), np.uint8)
    texture = cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC)
    return np.roll(texture, speed * number, axis=1)


def sample(views: tuple[str, ...] = VIEWS, **keys: object) -> dict:
    """A decoded sample: anchors show frames 0-3, the positive 10-13."""
    starts = [10 if view == "positive" else 0 for view in views]
    numbers = np.concatenate([start + np.arange(CLIP_LEN) for start in starts])
    results = dict(
        imgs=[frame(n) for n in numbers],
        frame_inds=numbers,
        clip_len=CLIP_LEN,
        views=views,
        start_index=0,
        total_frames=NUM_FRAMES,
        filename="data/videos/Class/v.1.avi",
    )
    results.update(keys)
    return results


def changed_clips(results: dict, views: tuple[str, ...] = VIEWS) -> list[bool]:
    before = sample(views)["imgs"]
    same = [np.array_equal(a, b) for a, b in zip(before, results["imgs"])]
    clips = np.array(same).reshape(-1, CLIP_LEN)
    assert (clips == clips[:, :1]).all(), "a clip was replaced in part"
    return (~clips[:, 0]).tolist()


def grey(results: dict) -> np.ndarray:
    """(V, T) values of flat grey images, one for each frame."""
    images = np.stack(results["imgs"])
    assert (images == images[..., :1]).all()
    return images[:, 5, 5, 0].reshape(-1, CLIP_LEN)


@pytest.fixture
def flow_root(tmp_path: Path) -> Path:
    """Stored flow in which frame n moves by n / 10 pixels to the right and up."""
    fields = np.ones((NUM_FRAMES, 32, 48, 2), np.float32)
    fields *= np.arange(NUM_FRAMES)[:, None, None, None] / 10 * np.array([1, -1])
    write_flow(tmp_path / "Class" / "v.1.flow.zip", fields, FlowSettings())
    return tmp_path


@pytest.fixture
def files(flow_root: Path) -> Callable[..., FlowView]:
    def make(**options: object) -> FlowView:
        return FlowView(source="files", root=str(flow_root), video_root="data/videos", **options)

    return make


def stored_level(number: int) -> int:
    return int(to_levels(np.array([number / 10]), 20 * 32 / 240)[0])


@pytest.mark.parametrize("transform", [FlowView("dis", prob=1), FrameDifference(prob=1)])
def test_which_clips_are_replaced(transform) -> None:
    """The second anchor is told from the first; without names every clip may be replaced."""
    for views, expected in (
        (VIEWS, [False, True, True]),
        (("anchor", "anchor"), [False, True]),  # the positive is another video's
        (("positive",), [True]),
        (("anchor",), [False]),
    ):
        results = transform(sample(views))
        assert changed_clips(results, views) == expected
        assert results["modalities"] == [transform.modality if e else "rgb" for e in expected]
    named, unnamed = sample(("positive", "positive")), sample(("positive", "positive"))
    del unnamed["views"]  # as pipelines for embedding and evaluation have it
    np.testing.assert_array_equal(transform(unnamed)["imgs"], transform(named)["imgs"])


def test_only_the_named_views_each_with_its_own_draw(files) -> None:
    assert changed_clips(files(prob=1, views=["positive"])(sample())) == [False, True, False]
    assert changed_clips(files(prob=1, views=["second_anchor"])(sample())) == [False, False, True]
    view = files()
    for seed in range(12):
        np.random.seed(seed)
        expected = [False, *(np.random.random(2) < 0.25)]
        np.random.seed(seed)
        assert changed_clips(view(sample())) == expected


def test_stored_flow_of_the_clips_own_frames(files) -> None:
    results = files(prob=1)(sample())
    assert {img.shape for img in results["imgs"]} == {(64, 96, 3)}
    expected = [[stored_level(n) for n in numbers] for numbers in ([10, 11, 12, 13], [0, 1, 2, 3])]
    results["imgs"] = results["imgs"][CLIP_LEN:]
    assert np.abs(grey(results) - expected).max() <= 1


def test_the_same_file_however_frames_are_counted_and_named(files) -> None:
    plain = files(prob=1)(sample())
    numbers = sample()["frame_inds"]
    for keys in (
        dict(frame_inds=numbers + 1, start_index=1),
        dict(frame_inds=numbers + 1 - 5, start_index=1, offset=5),
        dict(filename="unused", frame_dir="data/videos/Class/v.1"),
    ):
        np.testing.assert_array_equal(files(prob=1)(sample(**keys))["imgs"], plain["imgs"])


def test_missing_flow_names_the_file_and_the_command(files, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as error:
        files(prob=1)(sample(filename="data/videos/Class/other.avi"))
    sentence = str(error.value)
    assert os.path.join("Class", "other.flow.zip") in sentence and "\n" not in sentence
    assert "python tools/data/extract_flow.py data/videos --out" in sentence
    with pytest.raises(ValueError, match="video root"):
        files(prob=1)(sample(filename="elsewhere/v.avi"))
    nowhere = FlowView(prob=1, root=str(tmp_path / "none"), video_root="data/videos")
    with pytest.raises(ValueError, match="extract_flow"):  # no bad video: nothing was extracted
        nowhere(sample())


def write_rawframes(folder: Path) -> None:
    folder.mkdir(parents=True)
    for number in range(1, NUM_FRAMES):
        image = np.full((64, 96), 10 * number, np.uint8)
        cv2.imwrite(str(folder / f"flow_x_{number:05}.jpg"), image)


def test_mmaction2s_raw_flow_frames(tmp_path: Path) -> None:
    """Of a RawframeDataset, in its own folder, and of a VideoDataset, in a folder of all."""
    folder = tmp_path / "Class" / "v.1"
    write_rawframes(folder)
    own = dict(frame_dir=str(folder), start_index=1, frame_inds=sample()["frame_inds"] + 1)
    for view, keys in (
        (FlowView("rawframes", prob=1), own),
        (FlowView("rawframes", prob=1, root=str(tmp_path), video_root="data/videos"), {}),
    ):
        results = view(sample(**keys))
        results["imgs"] = results["imgs"][CLIP_LEN:]
        assert grey(results).tolist() == [[110, 120, 130, 140], [10, 20, 30, 40]]


@pytest.mark.parametrize("source", ["dis", "farneback"])
def test_computed_flow_points_to_the_right(source: str, monkeypatch) -> None:
    """Grey is that of 2 pixels of 64, whatever the size that flow is computed at."""
    expected = to_levels(np.array([2.0]), 20 * 64 / 240)[0]
    for short_side in (128, 48):
        monkeypatch.setattr(flow_view, "SHORT_SIDE", short_side)
        image = FlowView(source, prob=1)(sample())["imgs"][CLIP_LEN]
        assert image.shape == (64, 96, 3)
        assert abs(np.median(image) - expected) <= 6


def test_computed_flow_leads_to_the_clips_next_frame() -> None:
    """Twice as far to every other frame, and never past the end of a looped video."""
    for numbers in ([0, 2, 4, 6], [0, 2, 0, 2]):
        keys = dict(imgs=[frame(n) for n in numbers], frame_inds=np.array(numbers))
        images = FlowView("dis", prob=1)(sample(("positive",), **keys))["imgs"]
        assert abs(np.median(images[0]) - to_levels(np.array([4.0]), 20 * 64 / 240)[0]) <= 6
    for image in images[1:]:
        np.testing.assert_array_equal(image, images[0])


def test_flow_of_the_mirrored_clip_is_the_mirrored_negated_flow() -> None:
    """As ClipAugment flips it."""
    view = FlowView("dis", prob=1)
    of_mirrored = view(dict(sample(), imgs=[f[:, ::-1].copy() for f in sample()["imgs"]]))["imgs"]
    flow = np.stack(view(sample())["imgs"])[CLIP_LEN:]
    difference = np.stack(of_mirrored)[CLIP_LEN:].astype(int) - (255 - flow[:, :, ::-1])
    assert np.abs(difference).mean() < 3 and np.abs(np.median(difference)) <= 1


def test_difference_is_signed_and_grey_at_rest() -> None:
    levels = [100, 150, 40, 40]
    keys = dict(imgs=[np.full((8, 9, 3), level, np.uint8) for level in levels])
    keys["frame_inds"] = np.arange(4)
    results = FrameDifference(prob=1)(sample(("positive",), **keys))
    assert grey(results).tolist() == [[152, 72, 128, 128]]
    assert results["modalities"] == ["difference"]


def test_a_clip_is_replaced_once() -> None:
    """With both transforms in a pipeline the second leaves the first one's clips alone."""
    results = FlowView("dis", prob=1, views=["positive"])(sample())
    kept = list(results["imgs"])
    results = FrameDifference(prob=1)(results)
    assert results["modalities"] == ["rgb", "flow", "difference"]
    np.testing.assert_array_equal(results["imgs"][:8], kept[:8])


def test_shared_frames_of_two_views_are_not_written_to() -> None:
    keys = sample(("anchor", "anchor"))
    keys["imgs"] = np.stack(keys["imgs"])
    keys["imgs"].setflags(write=False)
    results = FlowView("dis", prob=1)(keys)
    np.testing.assert_array_equal(results["imgs"][:CLIP_LEN], keys["imgs"][:CLIP_LEN])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(source="tvl1"), "FlowView needs a source of"),
        (dict(source="files"), "needs root"),
        (dict(source="dis", prob=2), "prob in 0..1"),
        (dict(source="dis", views=["anchor"]), "can replace the views"),
        (dict(source="dis", views=[]), "can replace the views"),
        (dict(source="rawframes", filename_tmpl="x.jpg"), "filename_tmpl"),
    ],
)
def test_bad_settings_are_named(options: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FlowView(**options)


def test_extracted_flow_reaches_the_samples(video_set: Path, tmp_path: Path) -> None:
    """Of the same video and of another; video 0 is shorter than a clip."""
    settings = FlowSettings(method="dis", short_side=24)
    for video in video_set.glob("train_*.mp4"):
        write_flow(stored_path(tmp_path, video.stem), video_flow(video, "dis", 24), settings)
    videos = dict(
        type="VideoDataset",
        ann_file=str(video_set / "train.txt"),
        data_prefix=dict(video=str(video_set)),
    )
    pipeline = [
        dict(type="OpenVideo"),
        dict(type="SampleViewFrames", clip_len=8),
        dict(type="DecodeFrames"),
        dict(type="FlowView", prob=1.0, root=str(tmp_path), video_root=str(video_set)),
        dict(type="ClipAugment", size=16, gray_prob=0),
        dict(type="FormatShape", input_format="NCTHW"),
        dict(type="PackActionInputs", meta_keys=("modalities",)),
    ]
    for p_same_video in (0.0, 1.0):
        samples = ClusterAwareDataset(videos, pipeline, p_same_video)
        samples.store.update(np.zeros(len(samples), np.int64))
        for index in (0, 3):
            sample = samples[index]
            grey = [bool((clip == clip[:1]).all()) for clip in sample["inputs"]]
            assert grey == [False, True, True]
            assert sample["data_samples"].modalities == ["rgb", "flow", "flow"]
            other = sample["data_samples"].video_indices[1].item() != index
            assert other == (p_same_video == 0)
