from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.structures import ActionDataSample

from slic_mmaction.evaluation import VideoRetrievalMetric


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
    metric.process(dict(inputs=[torch.zeros(1, 3, 2, 128, 128)] * len(samples)), samples)
    return metric.evaluate(size=len(samples))


def test_recalls_are_percentages_and_the_line_says_what_was_measured(lines) -> None:
    got = evaluate(videos(), ks=(1, 3), mean_average_precision=True)
    assert got == {"retrieval/R@1": 50.0, "retrieval/R@3": 100.0, "retrieval/mAP": 75.0}
    assert lines == [
        "retrieval (protocol iic): 2 queries in 3 gallery videos: R@1 50.0, R@3 100.0, mAP 75.0"
    ]
    # Neither the order of samples nor those that a sampler repeats matter.
    assert evaluate(videos()[::-1] + videos()[:2], ks=(1,)) == {"retrieval/R@1": 50.0}


def test_ks_beyond_the_gallery_are_left_out_loudly(lines) -> None:
    assert set(evaluate(videos())) == {"retrieval/R@1"}
    assert "k = 5, 10, 20, 50 is left out: the gallery has only 3 videos" in lines[0]
    with pytest.raises(ValueError, match="fewer than every k"):
        evaluate(videos(), ks=(5,))
    with pytest.raises(ValueError, match="positive integers"):
        VideoRetrievalMetric(ks=(0, 1))


def test_the_size_of_frames_is_part_of_what_was_measured(lines) -> None:
    def measure(*sides: int) -> VideoRetrievalMetric:
        metric = VideoRetrievalMetric(ks=(1,))
        metric.dataset_meta = dict(num_query=2, num_gallery=3)
        for side, video in zip(sides, videos()):
            metric.process(dict(inputs=[torch.zeros(1, 3, 2, side, side)]), [video])
        metric.evaluate(size=5)
        return metric

    metric = measure(*[56] * 5)
    assert "retrieval (protocol iic, 56px)" in lines[0]
    assert metric.measured == dict(protocol="iic", name="iic, 56px", feature="projection")
    assert [row["label"] for row in metric.details["per_class"]] == [1, 0]
    assert metric.details["per_class"][0]["example"] == "query_1.mp4"
    assert measure(*[128] * 5).measured["name"] == "iic"
    for mixed in ((56, 56, 56, 56, 64), (56, 56, 64, 64, 64)):
        with pytest.raises(ValueError, match=r"different (frame size|protocol)s must not be mixed"):
            measure(*mixed)


def test_coclr_centres() -> None:
    """Far from the origin all cosines are alike; centred they are not."""
    shifted = [dict(s, embedding=s["embedding"] + 100, protocol="coclr") for s in videos()]
    queries, gallery = (np.array([s["embedding"].tolist() for s in shifted if s["role"] == r])
                        for r in ("query", "gallery"))  # fmt: skip
    queries, gallery = queries - queries.mean(0), gallery - gallery.mean(0)
    near = queries @ gallery.T / np.linalg.norm(gallery, axis=1)
    expected = 100 * np.mean(near.argmax(1) == [0, 2])
    assert evaluate(shifted, ks=(1,)) == {"retrieval/R@1": expected}


def test_neighbours_file(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "neighbors.npz"
    evaluate(videos(), ks=(1, 3), out_file=str(path))
    with np.load(path) as found:
        assert found["indices"].tolist() == [[0, 1, 2], [1, 2, 0]]
        assert found["query_labels"].tolist() == [0, 1]
        assert found["gallery_labels"].tolist() == [0, 2, 1]
        assert found["query_videos"].tolist() == ["query_0.mp4", "query_1.mp4"]
        assert found["gallery_videos"].tolist() == [f"gallery_{i}.mp4" for i in (2, 3, 4)]
        assert (np.diff(found["similarities"]) <= 0).all()


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
        ([{k: s[k] for k in s if k != "protocol"} for s in videos()], "name no retrieval protocol"),
        (without("embedding"), "wrote no embedding for query video query_1.mp4"),
        (without("gt_label"), "query_1.mp4 has the label None"),
    ],
)
def test_incomplete_or_mixed_samples_are_refused(samples: list[dict], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        evaluate(samples, ks=(1,))
