from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from mmaction.datasets import VideoDataset
from mmengine.config import Config

from slic_mmaction.datasets.videos import true_labels
from slic_mmaction.preparation.annotations import (
    DELIMITERS,
    choose_delimiter,
    unwritable,
    write_annotations,
    write_config,
)

CONFIGS = Path(__file__).parents[2] / "configs"
NAMES = ["a/plain.avi", "air drumming/x_000010_000020.mp4", "#1 & co/ü ☃ ß.mkv", " lead.avi",
         "a|b,c\td.webm", "100%.mp4", "'quoted' \"twice\".avi", "(soccer)/x.mp4"]  # fmt: skip
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
    assert {unwritable(path) for path in paths} == {None}
    file = tmp_path_factory.mktemp("ann") / "x.txt"
    delimiter = choose_delimiter(paths)
    write_annotations(file, [(path, i - 1) for i, path in enumerate(paths)], delimiter)
    dataset = VideoDataset(
        str(file), [], data_prefix=dict(video="root"), delimiter=delimiter, serialize_data=False
    )
    infos = [dataset.get_data_info(i) for i in range(len(dataset))]
    read = [(Path(info["filename"]), info["label"]) for info in infos]
    assert read == [(Path("root", path), i - 1) for i, path in enumerate(paths)]


def test_stock_configs_read_what_needs_no_delimiter(tmp_path: Path) -> None:
    assert choose_delimiter([]) == choose_delimiter(["a/b.avi", "c,\td.avi"]) == " "
    assert choose_delimiter(["a b", "a\tb", "a,b"]) == "|"
    with pytest.raises(ValueError, match="rename 'a b\\\\t,"):
        choose_delimiter(["a b\t,|:::"])
    write_annotations(tmp_path / "x.txt", [("a/b.avi", -1), ("c.avi", -1)], " ")
    assert (tmp_path / "x.txt").read_bytes() == b"a/b.avi -1\nc.avi -1\n"
    assert true_labels(VideoDataset(str(tmp_path / "x.txt"), [])) is None


def test_names_that_no_annotation_file_can_hold() -> None:
    for path, reason in (("a\nb", "line break"), ("a\rb", "line break"), ("a\udcff", "UTF-8")):
        assert reason in (unwritable(path) or "")


def test_edited_config_is_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "slic_r3d_mine.py"
    base = CONFIGS / "slic_r3d_ucf101.py"
    assert write_config(path, base, ["train_cfg = dict(max_epochs=7)"])
    assert Config.fromfile(path).train_cfg.max_epochs == 7
    assert write_config(path, base, ["val_cfg = None"])  # other options, nothing edited
    assert Config.fromfile(path).train_cfg.max_epochs == 600
    edited = path.read_text() + "train_dataloader['batch_size'] = 8\n"
    path.write_text(edited)
    assert not write_config(path, base, []) and path.read_text() == edited
