from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from matplotlib.figure import Figure

from slic_mmaction.visualization import cluster_report
from slic_mmaction.visualization.cluster_report import size_report

BLUE, ORANGE = (0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00)


def area(path: Path, colour: tuple[int, int, int]) -> int:
    return int((cv2.imread(str(path))[..., ::-1] == colour).all(-1).sum())


def test_bars_show_clusters_and_the_share_of_points(tmp_path: Path, monkeypatch) -> None:
    drawn: list[Figure] = []

    def keep(figure: Figure, path: Path) -> Path:
        drawn.append(figure)
        return path

    monkeypatch.setattr(cluster_report, "save_figure", keep)
    # Two singletons, one pair, one cluster of 9; three of 16 points are noise.
    labels = np.repeat([0, 1, 2, 3, -1], [1, 1, 2, 9, 3])
    assert size_report(labels, tmp_path / "x.png", "my title") == tmp_path / "x.png"
    upper, lower = drawn[0].axes
    assert [bar.get_height() for bar in upper.patches] == [2, 1, 0, 1, 0]
    shares = [bar.get_height() for bar in lower.patches]
    assert shares == pytest.approx([12.5, 12.5, 0, 56.25, 18.75])
    names = [text.get_text() for text in lower.get_xticklabels()]
    assert names == ["1", "2-3", "4-7", "8-15", "noise"]
    assert drawn[0].get_suptitle() == "my title\n16 points, 4 clusters, 3 noise"


def test_picture_is_written_whole_and_alone(tmp_path: Path) -> None:
    path = size_report(np.arange(60) // 4, tmp_path / "deep" / "sizes.png")
    assert area(path, BLUE) > 5000 and area(path, ORANGE) > 5000
    assert [p.name for p in path.parent.iterdir()] == ["sizes.png"]


def test_noise_only_and_no_labels(tmp_path: Path) -> None:
    path = size_report(np.full(4, -1), tmp_path / "noise.png")
    assert area(path, BLUE) == 0 and area(path, ORANGE) > 5000
    with pytest.raises(ValueError, match="N >= 1"):
        size_report(np.zeros(0, dtype=int), tmp_path / "none.png")
