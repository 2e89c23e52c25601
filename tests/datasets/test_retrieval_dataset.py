from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from mmengine.dataset import pseudo_collate
from torch.utils.data import DataLoader

from slic_mmaction.datasets import RetrievalDataset

from ..runs import video_list

PIPELINE = [
    dict(type="OpenVideo"),
    dict(type="SampleProtocolClips", protocol="iic", clip_len=4, num_clips=3),
    dict(type="DecodeFrames"),
    dict(type="FormatShape", input_format="NCTHW"),
    dict(type="PackActionInputs", meta_keys=("protocol",)),
]


def make(root: Path, query: str = "test") -> RetrievalDataset:
    return RetrievalDataset(video_list(root, query), video_list(root), PIPELINE)


def test_queries_then_gallery_each_once_with_their_labels(video_set: Path) -> None:
    dataset = make(video_set)
    assert len(dataset) == 12
    assert dataset.metainfo == dict(num_query=4, num_gallery=8)
    loader = DataLoader(dataset, batch_size=5, num_workers=2, collate_fn=pseudo_collate)
    samples = [s for batch in loader for s in batch["data_samples"]]
    assert [s.sample_index for s in samples] == list(range(12))
    assert [s.role for s in samples] == ["query"] * 4 + ["gallery"] * 8
    names = [f"test_{i}.mp4" for i in range(4)] + [f"train_{i}.mp4" for i in range(8)]
    assert [Path(s.video).name for s in samples] == names
    assert [int(s.gt_label) for s in samples] == [0, 1] * 6
    assert {s.protocol for s in samples} == {"iic, 3 clips, 4 frames"}
    assert dataset[0]["inputs"].shape == (3, 3, 4, 32, 40)


def test_a_broken_video_is_named_and_not_replaced(video_set: Path, tmp_path: Path) -> None:
    root = tmp_path / "videos"
    shutil.copytree(video_set, root)
    (root / "test_1.mp4").write_bytes(b"no video")
    dataset = make(root)
    with pytest.raises(RuntimeError, match=r"failed on the query video .*test_1\.mp4"):
        dataset[1]
    with pytest.raises(IndexError):
        dataset[12]


def test_overlap_and_a_shorter_video_than_promised_are_said(video_set: Path, monkeypatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(
        "slic_mmaction.datasets.retrieval_dataset.print_log", lambda line, **_: lines.append(line)
    )
    dataset = make(video_set)
    opened = dataset.pipeline.transforms[0]

    def losing(results: dict) -> dict:
        """Of one video the header promises two frames more."""
        results = opened(results)
        if "test_3" in results["filename"]:
            results["video_reader"].promised_frames += 2
        return results

    dataset.pipeline.transforms[0] = losing
    for index in range(12):
        dataset[index]
    (line,) = lines
    assert "test_3.mp4 lacks 2 of the" in line
    make(video_set, query="train")
    assert "8 of 8 query videos are also in the gallery" in lines[1]
