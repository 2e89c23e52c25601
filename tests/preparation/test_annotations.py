from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from mmaction.datasets import VideoDataset

from slic_mmaction.datasets.videos import true_labels
from slic_mmaction.preparation.annotations import (
    DELIMITERS,
    choose_delimiter,
    unwritable,
    write_annotations,
)

NAMES = ["a/plain.avi", "air drumming/x_000010_000020.mp4", "#1 & co/ü ☃ ß.mkv", " lead.avi",
         "a|b,c\td.webm", "100%.mp4", "'quoted' \"twice\".avi", "(soccer)/x.mp4"]  # fmt: skip


def read_back(path: Path, delimiter: str) -> list[tuple[str, int]]:
    dataset = VideoDataset(
        str(path), [], data_prefix=dict(video="root"), delimiter=delimiter, serialize_data=False
    )
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    return [(info["filename"], info["label"]) for info in infos]


# What str.strip, str.split and line-wise reading might stumble over.
TRICKY = " \t,|:#&%'\"()\x0b\x85\u2028\u3000\ufeffü☃/.a"
names = st.lists(
    st.text(TRICKY, min_size=1, max_size=8).map("{}x.avi".format), min_size=1, max_size=4
)


@settings(deadline=None, max_examples=50)
@given(names)
@example(NAMES)
def test_video_dataset_reads_every_path_back(tmp_path_factory, paths: list[str]) -> None:
    assume(not all(any(delimiter in path for path in paths) for delimiter in DELIMITERS))
    file = tmp_path_factory.mktemp("ann") / "x.txt"
    delimiter = choose_delimiter(paths)
    write_annotations(file, [(path, i - 1) for i, path in enumerate(paths)], delimiter)
    expected = [(Path("root", path), i - 1) for i, path in enumerate(paths)]
    assert [(Path(name), label) for name, label in read_back(file, delimiter)] == expected


def test_stock_configs_read_what_needs_no_delimiter(tmp_path: Path) -> None:
    assert choose_delimiter([]) == choose_delimiter(["a/b.avi", "c,\td.avi"]) == " "
    write_annotations(tmp_path / "x.txt", [("a/b.avi", 3), ("c.avi", 0)], " ")
    assert (tmp_path / "x.txt").read_bytes() == b"a/b.avi 3\nc.avi 0\n"


def test_delimiter_is_in_no_path() -> None:
    assert choose_delimiter(["a b"]) == "\t"
    assert choose_delimiter(["a b", "a\tb", "a,b"]) == "|"
    with pytest.raises(ValueError, match="rename 'a b\\\\t,"):
        choose_delimiter(["a b\t,|:::"])


def test_unlabelled_videos_have_no_true_labels(tmp_path: Path) -> None:
    write_annotations(tmp_path / "x.txt", [("a.avi", -1), ("b.avi", -1)], " ")
    assert true_labels(VideoDataset(str(tmp_path / "x.txt"), [])) is None


@pytest.mark.parametrize(
    ("path", "reason"),
    [("a\nb.avi", "line break"), ("a\rb.avi", "line break"), ("a\udcff.avi", "UTF-8")],
)
def test_names_that_no_annotation_file_can_hold(path: str, reason: str) -> None:
    assert reason in (unwritable(path) or "")


def test_other_names_can_be_written() -> None:
    assert [unwritable(path) for path in NAMES] == [None] * len(NAMES)
