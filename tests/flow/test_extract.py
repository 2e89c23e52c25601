from __future__ import annotations

from pathlib import Path

import pytest

from slic_mmaction.flow.extract import videos_asked_for


def test_lines_of_an_annotation_file(tmp_path: Path) -> None:
    annotation, root = tmp_path / "train.txt", Path("root")
    lines = ("A/a.avi 3", "B/b c #1.mp4 0 12", "ü & ö.avi", "", "A/a.avi 3", "C/2.mp4,5", "d 7.avi")
    annotation.write_text("\n".join(lines) + "\n", encoding="utf-8")
    names = ["A/a.avi", "B/b c #1.mp4", "ü & ö.avi", "C/2.mp4", "d 7.avi"]
    assert videos_asked_for(annotation, root) == ([root / name for name in names], root)
    annotation.write_text("\n \n")
    (tmp_path / "empty").mkdir()
    for videos in (annotation, tmp_path / "empty"):
        with pytest.raises(ValueError, match="There is no video in"):
            videos_asked_for(videos, root)
