"""Wrong annotation files and options of stock datasets: a sentence, and where it is wrong."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from mmengine.registry import init_default_scope

from slic_mmaction.datasets.videos import build_videos, true_labels


def videos(path: Path, content: str | bytes, kind: str = "VideoDataset", **options):
    path = path / "list.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    prefix = dict(video="root") if kind == "VideoDataset" else dict(img="root")
    return build_videos(
        dict(type=f"mmaction.{kind}", ann_file=str(path), data_prefix=prefix, **options)
    )


@pytest.mark.parametrize(
    ("content", "labels"),
    [
        ("my clip.mp4\t3\nb.mp4\t4\n", [3, 4]),  # another delimiter for names with spaces
        ("a.mp4 0\nb.mp4 12\n", [0, 12]),
        ("a.mp4 0\nb.mp4 1", [0, 1]),  # no line end at the end
        ("a.mp4 0\r\nb.mp4 1\r\n", [0, 1]),  # Windows
        ("a.mp4\nb.mp4\n", None),  # unlabelled
        ("a.mp4 -1\nb.mp4 -1\n", None),
        ("ä#&.mp4 0\n", [0]),
        ("a,b.mp4 0\nVol.1,2.mp4 1\n", [0, 1]),
    ],
)
def test_good_files_pass(tmp_path: Path, content: str, labels: list[int] | None) -> None:
    delimiter = "\t" if "\t" in content else " "
    dataset = videos(tmp_path, content, delimiter=delimiter)
    names = [Path(dataset.get_data_info(i)["filename"]).name for i in range(len(dataset))]
    assert names == [line.strip().split(delimiter)[0] for line in content.split("\n") if line]
    got = true_labels(dataset)
    assert got is None if labels is None else got.tolist() == labels


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("a.mp4 0\n\nb.mp4 1\n", r"list\.txt:2 is empty; remove it\.$"),
        ("a.mp4 0\nb.mp4\n", r"list\.txt:2 has no label, but line 1 has one; label all or none"),
        ("a.mp4\nb.mp4 1\n", r"list\.txt:2 has a label, but line 1 has none"),
        ("a.mp4 0\nb.mp4 x\n", r"list\.txt:2 has 'x' as label, which is not an integer"),
        ("a.mp4 0\nmy clip.mp4 1\n", r"list\.txt:2 has 3 fields separated by ' '.*delimiter="),
        ("a.mp4 0\nb.mp4 -2\n", r"list\.txt:2 has the label -2, but labels count from 0\."),
        (b"\xef\xbb\xbfa.mp4 0\n", r"list\.txt:1 begins with a byte order mark"),
        ("a.mp4 0\nä.mp4 1\n".encode("latin-1"), r"list\.txt:2 is not UTF-8"),
        ("a.mp4 0\nb\0.mp4 1\n", r"list\.txt:2 has a NUL character"),
        ("a.mp4 0\rb.mp4 1\r", r"list\.txt:1 has a carriage return within a line"),
        ("a.mp4 0\nb.mp4 99999999999999999999\n", r"list\.txt:2 has '9+' as label, .* too large"),
        ("", r"list\.txt lists no video\.$"),
        ("a.mp4,surfing\n", r"list\.txt:1 seems to .* by ',', .*; set delimiter=','"),
        (f"a.mp4 {'9' * 9999}\n", r"list\.txt:1 has '9{,20}\.\.\.9+' as label"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, content: str | bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        videos(tmp_path, content)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "delimiter", "separator"),
    [
        ("a.mp4{}0", " ", "\t"),
        ("my clip.mp4{}0", " ", "="),
        ("a.mp4{}0", None, ", "),
        ("a.mp4{}-1{}2", " ", ":::"),
        ("a.mp4{}0", "\t", " "),
    ],
)
def test_another_separator_is_suspected(
    tmp_path: Path, line: str, delimiter: str | None, separator: str
) -> None:
    content, options = line.replace("{}", separator), dict(multi_class=True, num_classes=9)
    message = rf"list\.txt:1 seems to separate .*; set delimiter={separator!r}"
    with pytest.raises(ValueError, match=message.replace("\\t", "\\\\t")):
        videos(tmp_path, content, delimiter=delimiter, **options)
    assert len(videos(tmp_path, content, delimiter=separator, **options)) == 1


def test_labels_must_fit_the_number_of_classes(tmp_path: Path) -> None:
    message = r"list\.txt:2 has the label 3, but labels count from 0 to num_classes - 1 = 2"
    with pytest.raises(ValueError, match=message):
        videos(tmp_path, "a.mp4 2\nb.mp4 3\n", num_classes=3)
    options = dict(num_classes=4, multi_class=True)
    dataset = videos(tmp_path, "a.mp4 0 2\nb.mp4 3\n", **options)
    assert dataset.get_data_info(0)["label"].tolist() == [1, 0, 1, 0]
    with pytest.raises(ValueError, match=r"list\.txt:1 has the label 4"):
        videos(tmp_path, "a.mp4 0 4\n", **options)
    with pytest.raises(ValueError, match=r"multi_class=True for .*list\.txt needs num_classes"):
        videos(tmp_path, "a.mp4 0 2\n", multi_class=True)
    with pytest.raises(ValueError, match=r"delimiter for .*list\.txt is empty"):
        videos(tmp_path, "a.mp4 0\n", delimiter="")


@pytest.mark.parametrize(
    ("content", "options", "message"),
    [
        ("a 9 0\nb 8\n", {}, r":2 has no label"),
        ("a 9 0\nb\n", {}, r":2 has 1 fields, but should be a folder .* number of frames, and a"),
        ("a nine 0\n", {}, r":1 has 'nine' as number of frames, which is not an integer"),
        ("a 0 0\n", {}, r":1 has 0 as number of frames"),
        ("a -1 9 0\n", dict(with_offset=True), r":1 has -1 as offset"),
    ],
)
def test_wrong_lines_of_raw_frames(tmp_path: Path, content: str, options, message: str) -> None:
    with pytest.raises(ValueError, match=r"list\.txt" + message):
        videos(tmp_path, content, "RawframeDataset", **options)


def test_good_lines_of_raw_frames(tmp_path: Path) -> None:
    assert len(videos(tmp_path, "a 9 0\r\nb 8 1\n", "RawframeDataset")) == 2
    assert len(videos(tmp_path, "a 9\nb 8\n", "RawframeDataset")) == 2
    dataset = videos(tmp_path, "a 0 9 0\nb 5 8 1\n", "RawframeDataset", with_offset=True)
    assert dataset.get_data_info(1)["offset"] == 5
    options = dict(multi_class=True, num_classes=5)
    assert len(videos(tmp_path, "a 9 0 4\n", "RawframeDataset", **options)) == 1


def test_what_is_no_file_is_named(tmp_path: Path) -> None:
    """Opening the pipe would wait for ever."""
    os.mkfifo(tmp_path / "pipe")
    os.symlink(tmp_path / "loop", tmp_path / "loop")
    for name, what in (
        ("pipe", "is not a file"),
        (".", "is not a file"),
        ("loop", "does not exist"),
    ):
        with pytest.raises(FileNotFoundError, match=rf"annotation file .* {what}: create it"):
            build_videos(dict(type="mmaction.VideoDataset", ann_file=str(tmp_path / name)))
    (tmp_path / "list.txt").write_text("a.mp4 0\n")
    os.symlink(tmp_path / "list.txt", tmp_path / "link")
    assert len(build_videos(dict(type="mmaction.VideoDataset", ann_file=str(tmp_path / "link"))))


def test_wrong_options_are_named() -> None:
    for options, message in (
        (dict(ann_file=None), "VideoDataset needs ann_file of type str, but got None"),
        (dict(data_prefix="videos"), "needs data_prefix of type Mapping, but got 'videos'"),
        (dict(num_classes="101"), r"needs num_classes of type int or NoneType, but got '101'"),
        (dict(multi_class="no"), "needs multi_class of type bool"),
    ):
        with pytest.raises(TypeError, match=message):
            build_videos({"type": "mmaction.VideoDataset", "ann_file": "a.txt", **options})
    for kind, part in (("VideoDataset", "video"), ("RawframeDataset", "img")):
        with pytest.raises(ValueError, match=rf"{kind} needs data_prefix=dict\({part}=FOLDER\)"):
            build_videos(dict(type=f"mmaction.{kind}", ann_file="a.txt", data_prefix={part: None}))


def test_what_is_no_dataset_is_named() -> None:
    joined = dict(type="mmengine.ConcatDataset", datasets=[{}])
    for wrong in (joined, None, "videos", 3, [], {}, dict(ann_file="a.txt")):
        with pytest.raises(TypeError, match="A dataset of videos was expected, such as dict"):
            build_videos(wrong)
    init_default_scope("mmaction")
    with pytest.raises(KeyError, match="NoSuch is not in the mmaction::dataset registry"):
        build_videos(dict(type="NoSuch"))
