"""Preparation of folders with real broken files in them."""

from __future__ import annotations

import csv
import importlib
import os
import shutil
from pathlib import Path

import pytest
from mmaction.datasets import VideoDataset

from slic_mmaction.preparation import probe_run
from slic_mmaction.preparation.faults import Settings
from slic_mmaction.preparation.lists import Entry, Split, VideoLists
from slic_mmaction.preparation.own_videos import list_videos, match_paths
from slic_mmaction.preparation.prepare import prepare

ONE = Settings(num_workers=1)
SOUND = ["brush hair/#1 & ü.avi", "brush hair/b.avi", "wave/c.avi", "wave/d.avi", "wave/e.avi"]


@pytest.fixture
def videos(tmp_path: Path, make, broken) -> Path:
    """Five sound videos, eight broken ones and one of no list."""
    root = tmp_path / "videos"
    for name in SOUND:
        make["xvid"](root / name)
    (root / "wave").mkdir(exist_ok=True)
    for name, path in broken.items():
        shutil.copy(path, root / "wave" / f"bad_{name}{path.suffix}")
    make["xvid"](root / "wave" / "unlisted.avi")
    return root


@pytest.fixture
def lists(videos: Path, broken) -> VideoLists:
    train = [Entry("brush hair", "#1 & ü", 0), Entry("wave", "c", 1), Entry("wave", "gone", 1)]
    train += [Entry("wave", f"bad_{name}", 1) for name in broken]
    val = [Entry("brush hair", "b", 0), Entry("wave", "d", 1)]
    return VideoLists(
        (Split("train.txt", videos, tuple(train), 12), Split("val.txt", videos, tuple(val))),
        unused=(Entry("wave", "e", 1),),
    )


def files_of(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in out.iterdir()}


def test_every_video_is_accounted_for(lists, videos: Path, broken, tmp_path: Path) -> None:
    report = prepare(lists, tmp_path / "out", ONE)
    train, val = report.splits
    assert (train.usable, train.missing, train.broken) == (2, 1, len(broken))
    assert (val.usable, val.missing, val.broken) == (2, 0, 0)
    assert (report.found, report.usable) == (len(SOUND) + len(broken) + 1, 4)
    assert report.probed == 4 + len(broken)  # neither the unused nor the unlisted one
    assert [str(entry) for entry in report.missing] == ["wave/gone"]
    assert report.extra == [videos / "wave" / "unlisted.avi"]
    assert {path.stem for path in report.faults} == {f"bad_{name}" for name in broken}
    assert all(path.is_file() for path in report.faults)

    out = tmp_path / "out"
    assert (out / "missing.txt").read_text() == "wave/gone\n"
    assert (out / "extra.txt").read_text() == f"{videos / 'wave' / 'unlisted.avi'}\n"
    with open(out / "quarantine.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {Path(row["path"]): row["reason"] for row in rows} == report.faults
    dataset = VideoDataset(
        str(train.annotations), [], data_prefix=dict(video=str(videos)), delimiter=report.delimiter
    )
    read = [dataset.get_data_info(i) for i in range(len(dataset))]
    assert [(Path(v["filename"]).name, v["label"]) for v in read] == [
        ("#1 & ü.avi", 0),
        ("c.avi", 1),
    ]
    assert all(Path(video["filename"]).is_file() for video in read)


def test_second_run_probes_nothing_and_writes_the_same(lists, tmp_path: Path) -> None:
    prepare(lists, tmp_path / "out", ONE)
    before = files_of(tmp_path / "out")
    assert prepare(lists, tmp_path / "out", ONE).probed == 0
    assert files_of(tmp_path / "out") == before


def test_stopped_run_goes_on_where_it_was(lists, tmp_path: Path, monkeypatch) -> None:
    whole = prepare(lists, tmp_path / "whole", ONE)
    run = probe_run.run_isolated

    def stopped(*args):
        for count, outcome in enumerate(run(*args)):
            if count == 3:
                raise KeyboardInterrupt
            yield outcome

    monkeypatch.setattr(probe_run, "run_isolated", stopped)
    with pytest.raises(KeyboardInterrupt):
        prepare(lists, tmp_path / "out", ONE)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["probes.jsonl"]
    monkeypatch.setattr(probe_run, "run_isolated", run)
    assert prepare(lists, tmp_path / "out", ONE).probed == whole.probed - 3
    for name in ("train.txt", "val.txt", "missing.txt", "quarantine.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_crash_of_the_decoder_costs_one_video(lists, videos, make, tmp_path, monkeypatch) -> None:
    monkeypatch.syspath_prepend(str(Path(__file__).parent))
    probe = importlib.import_module("crashing_probe").probe
    make["xvid"](videos / "wave" / "gone.avi").rename(videos / "wave" / "segfault.avi")
    split = Split("x.txt", videos, tuple(Entry("wave", s, 1) for s in ("c", "segfault", "d")))
    settings = Settings(num_workers=2)
    report = prepare(VideoLists((split,)), tmp_path / "out", settings, probe=probe)
    assert report.splits[0].usable == 2
    reason = report.faults[videos / "wave" / "segfault.avi"]
    assert "crashed" in reason and "SIGSEGV" in reason
    again = prepare(VideoLists((split,)), tmp_path / "out", settings, probe=probe)
    assert again.probed == 0 and again.faults == report.faults


def test_hanging_file_is_given_up_and_tried_again_with_more_time(videos, make, tmp_path) -> None:
    """A pipe into which nobody writes hangs whoever reads it."""
    pipe = videos / "wave" / "hangs.avi"
    os.mkfifo(pipe)
    split = Split("x.txt", videos, (Entry("wave", "hangs", 1), Entry("wave", "c", 1)))
    lists = VideoLists((split,))
    report = prepare(lists, tmp_path / "out", Settings(1, timeout=0.5))
    assert report.faults == {pipe: "took longer than 0.5 s"} and report.usable == 1
    assert prepare(lists, tmp_path / "out", Settings(1, timeout=0.5)).probed == 0
    assert prepare(lists, tmp_path / "out", Settings(1, timeout=0.6)).probed == 1


def test_thresholds_apply_without_probing_again(lists, tmp_path: Path) -> None:
    prepare(lists, tmp_path / "out", ONE)
    strict = prepare(lists, tmp_path / "out", Settings(1, min_frames=13))
    assert (strict.probed, strict.usable) == (0, 0)
    assert "too short: 12 of the 13 frames" in " ".join(strict.faults.values())
    lenient = prepare(lists, tmp_path / "out", Settings(1, min_frames=1, min_share=0.0))
    assert lenient.probed == 0 and lenient.usable > 4


def test_broken_videos_are_moved_if_asked_for(lists, videos, broken, tmp_path: Path) -> None:
    settings = Settings(1, quarantine=tmp_path / "bad")
    report = prepare(lists, tmp_path / "out", settings)
    moved = sorted(path.relative_to(tmp_path / "bad") for path in report.faults)
    assert len(moved) == len(broken) and moved[0].parts[:2] == ("videos", "wave")
    assert all(path.is_file() for path in report.faults)
    assert not list((videos / "wave").glob("bad_*"))
    before = files_of(tmp_path / "out")
    again = prepare(lists, tmp_path / "out", settings)
    assert again.probed == 0 and again.faults == report.faults and again.splits == report.splits
    after = files_of(tmp_path / "out")
    assert after == before


def test_file_that_replaces_a_broken_one_is_used(lists, videos, make, tmp_path: Path) -> None:
    make["xvid"](videos / "replacement" / "bad_half.avi")
    report = prepare(lists, tmp_path / "out", ONE)
    assert "replacement/bad_half.avi\t1\n" in report.splits[0].annotations.read_text()
    assert videos / "wave" / "bad_half.avi" in report.faults


def test_unreadable_file_is_left_where_it_is_and_tried_again(lists, videos, tmp_path) -> None:
    path = videos / "wave" / "c.avi"
    path.rename(tmp_path / "away.avi")
    path.symlink_to(tmp_path / "unmounted" / "away.avi")
    settings = Settings(1, quarantine=tmp_path / "bad")
    report = prepare(lists, tmp_path / "out", settings)
    assert "No such file" in report.faults[path] and path.is_symlink()
    (tmp_path / "unmounted").mkdir()
    (tmp_path / "away.avi").rename(tmp_path / "unmounted" / "away.avi")
    again = prepare(lists, tmp_path / "out", settings)
    assert again.probed == 1 and again.usable == report.usable + 1


def test_name_that_cannot_be_written_is_left_out(videos: Path, make, tmp_path: Path) -> None:
    make["xvid"](videos / "wave" / "two\nlines.avi")
    lists = list_videos(videos / "wave")
    report = prepare(lists, tmp_path / "out", ONE, match=match_paths)
    assert "line break" in report.faults[videos / "wave" / "two\nlines.avi"]
    assert len(report.splits[0].annotations.read_text().splitlines()) == report.usable


def test_own_videos_are_unlabelled_and_held_out_by_name(videos: Path, make, tmp_path: Path) -> None:
    lists = list_videos(videos / "brush hair", holdout=0.5)
    train, val = lists.splits
    assert len(train.entries) == len(val.entries) == 1
    assert list_videos(videos / "brush hair", holdout=0.5) == lists
    report = prepare(lists, tmp_path / "out", ONE, match=match_paths)
    text = "".join(split.annotations.read_text() for split in report.splits)
    assert sorted(text.splitlines()) == ["#1 & ü.avi\t-1", "b.avi\t-1"]
    assert report.missing == [] and report.extra == []
    with pytest.raises(ValueError, match="none to train on"):
        list_videos(videos / "brush hair", holdout=1.0)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(ValueError, match="holds 0 videos"):
        list_videos(tmp_path / "nothing")
