from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample

from slic_mmaction.evaluation import RetrievalNeighbors, VideoRetrievalMetric


def sample(index: int, role: str, label: int, embedding: list[float], **meta) -> dict:
    meta = dict(dict(protocol="iic", feature="projection"), **meta)
    element = ActionDataSample(
        metainfo=dict(role=role, sample_index=index, video=f"{role}_{index}.mp4", **meta)
    )
    element.set_gt_label(label)
    element.embedding = torch.tensor(embedding)
    return element.to_dict()


def videos() -> list[dict]:
    """Query 0 finds its class first, query 1 second."""
    return [
        sample(0, "query", 0, [1.0, 0.1]),
        sample(1, "query", 1, [0.9, 1.0]),
        sample(2, "gallery", 0, [2.0, 0.0]),
        sample(3, "gallery", 2, [1.0, 1.0]),
        sample(4, "gallery", 1, [0.0, 3.0]),
    ]


def evaluate(samples: list[dict], **options) -> dict[str, float]:
    metric = VideoRetrievalMetric(**options)
    metric.dataset_meta = dict(num_query=2, num_gallery=3)
    metric.process(None, samples)
    return metric.evaluate(size=len(samples))


def test_recalls_are_percentages_and_the_line_says_what_was_measured(caplog, monkeypatch) -> None:
    lines = []
    monkeypatch.setattr(
        "slic_mmaction.evaluation.retrieval_metric.print_log", lambda line, **_: lines.append(line)
    )
    got = evaluate(videos(), ks=(1, 3))
    assert got == {"retrieval/R@1": 50.0, "retrieval/R@3": 100.0}
    assert lines == [
        "retrieval (protocol iic, feature projection): 2 queries in 3 gallery videos: "
        "R@1 50.0, R@3 100.0"
    ]


def test_order_and_padding_of_samples_do_not_matter() -> None:
    expected = evaluate(videos(), ks=(1,))
    shuffled = videos()[::-1] + videos()[:2]
    assert evaluate(shuffled, ks=(1,)) == expected


def test_ks_beyond_the_gallery_are_left_out_loudly(monkeypatch) -> None:
    lines = []
    monkeypatch.setattr(
        "slic_mmaction.evaluation.retrieval_metric.print_log", lambda line, **_: lines.append(line)
    )
    assert set(evaluate(videos())) == {"retrieval/R@1"}
    assert "R@5, R@10, R@20, R@50 left out: the gallery has only 3 videos" in lines[0]
    with pytest.raises(ValueError, match="fewer than every k"):
        evaluate(videos(), ks=(5,))


def test_neighbours_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "neighbors.npz"
    evaluate(videos(), ks=(1, 3), out_file=str(path))
    found = RetrievalNeighbors.load(path)
    assert found.indices.tolist() == [[0, 1, 2], [1, 2, 0]]
    assert found.hits.tolist() == [[True, False, False], [False, True, False]]
    assert found.query_videos.tolist() == ["query_0.mp4", "query_1.mp4"]
    assert (np.diff(found.similarities) <= 0).all()
    np.savez(tmp_path / "other.npz", x=1)
    with pytest.raises(ValueError, match="was not written by VideoRetrievalMetric"):
        RetrievalNeighbors.load(tmp_path / "other.npz")


def without(key: str) -> list[dict]:
    broken = videos()
    del broken[1][key]
    return broken


@pytest.mark.parametrize(
    ("samples", "message"),
    [
        (videos()[:2], "0 of 3 gallery videos were embedded"),
        (videos()[1:], "1 of 2 query videos were embedded"),
        ([*videos()[1:], sample(0, "query", 0, [1.0, 0], protocol="center")], "protocols must"),
        ([*videos()[1:], sample(0, "query", 0, [1.0, 0], feature="backbone")], "features must"),
        ([*videos()[1:], sample(0, "query", 0, [float("nan"), 0])], "query_0.mp4 is not finite"),
        ([*videos()[1:], sample(0, "query", -1, [1.0, 0])], r"query_0.mp4 has the label \[-1\]"),
        (without("role"), "neither query nor gallery"),
        (without("protocol"), "names no retrieval protocol"),
        (without("embedding"), "wrote no embedding for query video query_1.mp4"),
        (without("gt_label"), "query_1.mp4 has the label None"),
    ],
)
def test_incomplete_or_mixed_samples_are_refused(samples: list[dict], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(samples, ks=(1,))


def test_bad_settings_are_named() -> None:
    with pytest.raises(ValueError, match="positive integers"):
        VideoRetrievalMetric(ks=(0, 1))
