from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS
from mmengine.registry import init_default_scope
from torch.utils.data import DataLoader

from slic_mmaction.datasets import ClusterAwareDataset
from slic_mmaction.datasets.cluster_aware_dataset import join_views

PIPELINE = [
    dict(type="OpenVideo"),
    dict(type="SampleViewFrames", clip_len=4),
    dict(type="DecodeFrames"),
    dict(type="ClipAugment", size=16),
    dict(type="Flip", flip_ratio=0.5),  # a stock transform draws reproducibly, too
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs"),
]


@pytest.fixture(autouse=True)
def scope() -> None:
    init_default_scope("mmaction")


def make(root: Path, pipeline=PIPELINE, **kwargs) -> ClusterAwareDataset:
    videos = dict(
        type="VideoDataset", ann_file=str(root / "train.txt"), data_prefix=dict(video=str(root))
    )
    return ClusterAwareDataset(videos, pipeline, **kwargs)


def test_a_sample_is_three_views_without_the_true_label(video_set) -> None:
    dataset = make(video_set)
    dataset.store.update([0, 0, 1, 1, 2, 2, -1, 3])
    for i in range(len(dataset)):
        sample = dataset[i]
        assert sample["inputs"].shape == (3, 3, 4, 16, 16)
        assert sample["inputs"].dtype == torch.uint8
        element = sample["data_samples"]
        assert element.pseudo_label.tolist() == [dataset.store.labels[i].item()]
        assert element.video_indices[[0, 2]].tolist() == [i, i]
        assert "gt_label" not in element and "label" not in element.all_keys()


def test_the_pipeline_never_sees_a_true_label(video_set) -> None:
    seen = []
    spy = [*PIPELINE, lambda results: seen.append(True) or results]
    before_pack = [lambda results: seen.append(set(results)) or results, *PIPELINE]
    make(video_set, before_pack)[3]
    assert seen and all("label" not in keys for keys in seen)
    assert make(video_set, spy)[3] is not None


@pytest.mark.parametrize(("p", "low", "high"), [(0.0, 0, 0), (0.2, 0.1, 0.3), (1.0, 1, 1)])
def test_positive_is_the_same_video_with_probability_p(video_set, p, low, high) -> None:
    light = [lambda r: dict(inputs=torch.zeros(len(r["views"]), 1), data_samples=_element())]
    dataset = make(video_set, light, p_same_video=p)
    dataset.store.update([0, 0, 0, 0, 1, 1, 1, 1])
    same, others = [], []
    for epoch in range(50):
        dataset.store.start_epoch(seed=0, epoch=epoch)
        for i in range(len(dataset)):
            anchor, positive, second = dataset[i]["data_samples"].video_indices.tolist()
            assert anchor == second == i and positive // 4 == i // 4
            same.append(positive == i)
            others.append(positive)
    assert low <= np.mean(same) <= high


def _element():
    from mmaction.structures import ActionDataSample

    return ActionDataSample()


def test_views_come_from_the_right_video_and_frames(video_set) -> None:
    """A pipeline that reports file and frames instead of pixels."""

    def report(results: dict) -> dict:
        results["video_reader"] = None
        name = int(Path(results["filename"]).stem.split("_")[1])
        frames = torch.as_tensor(results["frame_inds"]).reshape(-1, 4)
        tag = torch.full((len(frames), 1), name)
        return dict(inputs=torch.cat([tag, frames], 1), data_samples=_element())

    dataset = make(video_set, [*PIPELINE[:2], report], p_same_video=0.5)
    dataset.store.update([0, 1, 0, 1, 0, 1, 0, 1])
    for epoch in range(20):
        dataset.store.start_epoch(0, epoch)
        for i in range(8):
            sample = dataset[i]
            views = sample["inputs"]
            assert views[:, 0].tolist() == sample["data_samples"].video_indices.tolist()
            length = 5 if i == 0 else 12 + 3 * i
            assert views[0, 1:].tolist() == [t % length for t in range(4)]
            assert views[2].tolist() == views[0].tolist()
            partner = int(views[1, 0])
            length = 5 if partner == 0 else 12 + 3 * partner
            assert min(length - 4, 4) <= views[1, 1] <= length - 4


def collect(dataset: ClusterAwareDataset, workers: int, epochs: range, **kwargs) -> list:
    loader = DataLoader(
        dataset, batch_size=2, num_workers=workers, collate_fn=list, shuffle=False, **kwargs
    )
    out = []
    for epoch in epochs:
        dataset.store.start_epoch(seed=3, epoch=epoch)
        dataset.store.update(np.arange(8) // (epoch + 2))
        for batch in loader:
            for sample in batch:
                element = sample["data_samples"]
                out.append((sample["inputs"], element.video_indices, element.pseudo_label))
    return out


def test_samples_do_not_depend_on_the_workers(video_set) -> None:
    reference = collect(make(video_set), 0, range(2))
    for workers, persistent in ((2, False), (2, True), (1, True)):
        got = collect(make(video_set), workers, range(2), persistent_workers=persistent)
        for ours, theirs in zip(got, reference):
            assert all(torch.equal(a, b) for a, b in zip(ours, theirs))
    second_epoch_alone = collect(make(video_set), 0, range(1, 2))
    for ours, theirs in zip(second_epoch_alone, reference[8:]):
        assert all(torch.equal(a, b) for a, b in zip(ours, theirs))
    first, second = reference[:8], reference[8:]
    assert not any(torch.equal(a[0], b[0]) for a, b in zip(first, second))


@pytest.mark.parametrize("in_memory", ["channels last", "channels first", "mixed"])
def test_views_are_joined_whatever_their_order_in_memory(in_memory: str) -> None:
    frames = [torch.randint(256, (n, 4, 6, 5, 3), dtype=torch.uint8) for n in (1, 2, 1)]
    clips = [clip.permute(0, 4, 1, 2, 3) for clip in frames]
    if in_memory != "channels last":
        clips[1] = clips[1].contiguous()
    if in_memory == "channels first":
        clips = [clip.contiguous() for clip in clips]
    joined = join_views(clips)
    assert joined.shape == (4, 3, 4, 6, 5) and torch.equal(joined, torch.cat(clips))


def test_raw_frames_work_the_same(video_set, tmp_path: Path) -> None:
    import cv2

    lines = []
    for v in range(3):
        (tmp_path / f"v{v}").mkdir()
        for t in range(9):
            cv2.imwrite(
                str(tmp_path / f"v{v}" / f"img_{t + 1:05}.jpg"), np.full((20, 24, 3), 40 * v)
            )
        lines.append(f"v{v} 9 0")
    (tmp_path / "train.txt").write_text("\n".join(lines))
    frames = dict(
        type="RawframeDataset",
        ann_file=str(tmp_path / "train.txt"),
        data_prefix=dict(img=str(tmp_path)),
    )
    pipeline = [PIPELINE[1], dict(type="RawFrameDecode"), *PIPELINE[3:]]
    sample = ClusterAwareDataset(frames, pipeline, p_same_video=1.0)[2]
    assert sample["inputs"].shape == (3, 3, 4, 16, 16)


def test_bad_settings_are_named(video_set, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"p_same_video in 0\.\.1, but got 1\.2"):
        make(video_set, p_same_video=1.2)
    (tmp_path / "train.txt").write_text("")
    with pytest.raises(ValueError, match=r"train\.txt lists no video"):
        make(tmp_path)


def test_the_registry_knows_it(video_set) -> None:
    videos = dict(
        type="VideoDataset",
        ann_file=str(video_set / "train.txt"),
        data_prefix=dict(video=str(video_set)),
    )
    dataset = DATASETS.build(dict(type="ClusterAwareDataset", dataset=videos, pipeline=PIPELINE))
    assert len(dataset) == 8 and dataset.metainfo == {}
