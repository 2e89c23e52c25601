"""Preparation of folders with real broken files in them."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import pytest
from mmaction.datasets import VideoDataset

from slic_mmaction.preparation import probing
from slic_mmaction.preparation.lists import Entry, Split, VideoLists
from slic_mmaction.preparation.prepare import prepare
from slic_mmaction.preparation.probing import Probe, Settings
from slic_mmaction.preparation.summary import conclude

from .conftest import write_video

ONE = Settings(num_workers=1)
SOUND = ["brush hair/#1 & ü.avi", "brush hair/b.avi", "wave/c.avi", "wave/d.avi", "wave/e.avi"]


@pytest.fixture
def videos(tmp_path: Path, broken) -> Path:
    """Five sound videos, eight broken ones, one of no list, and a text."""
    root = tmp_path / "videos"
    first = write_video(root / SOUND[0])
    for name in (*SOUND[1:], "wave/unlisted.avi"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(first, root / name)
    for name, path in broken.items():
        shutil.copy(path, root / "wave" / f"bad_{name}{path.suffix}")
    (root / "readme.txt").touch()
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
    out = tmp_path / "out"
    report = prepare(lists, out, ONE)
    assert [made[1:] for made in report.splits] == [(2, 1, len(broken)), (2, 0, 0)]
    assert (report.found, report.usable) == (len(SOUND) + len(broken) + 1, 4)
    assert report.probed == 4 + len(broken)  # neither the unused nor the unlisted one
    assert report.others == {".txt": 1} and report.passing == 0 and report.flat == []
    assert [str(entry) for entry in report.missing] == ["wave/gone"]
    assert report.extra == [videos / "wave" / "unlisted.avi"]
    assert {path.stem for path in report.faults} == {f"bad_{name}" for name in broken}

    assert (out / "missing.txt").read_text() == "wave/gone\n"
    assert (out / "extra.txt").read_text() == f"{videos / 'wave' / 'unlisted.avi'}\n"
    with open(out / "quarantine.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {Path(row["path"]): row["reason"] for row in rows} == report.faults
    dataset = VideoDataset(
        str(out / "train.txt"), [], dict(video=str(videos)), delimiter=report.delimiter
    )
    read = [dataset.get_data_info(i) for i in range(len(dataset))]
    expected = [(videos / SOUND[0], 0), (videos / SOUND[2], 1)]
    assert [(Path(v["filename"]), v["label"]) for v in read] == expected

    before = files_of(out)
    assert prepare(lists, out, ONE).probed == 0 and files_of(out) == before
    strict = prepare(lists, out, Settings(1, min_frames=13))
    assert (strict.probed, strict.usable) == (0, 0)
    assert "too short: 12 of the 13 frames" in " ".join(strict.faults.values())
    lenient = prepare(lists, out, Settings(1, min_frames=1, min_share=0.0))
    assert lenient.probed == 0 and lenient.usable > 4


def test_broken_videos_are_moved_if_asked_for(lists, videos, broken, tmp_path: Path) -> None:
    settings = Settings(1, quarantine=tmp_path / "bad")
    report = prepare(lists, tmp_path / "out", settings)
    moved = sorted(path.relative_to(tmp_path / "bad") for path in report.faults)
    assert len(moved) == len(broken) and moved[0].parts[:2] == ("videos", "wave")
    assert all(path.is_file() for path in report.faults)
    assert not list((videos / "wave").glob("bad_*"))
    before = files_of(tmp_path / "out")
    assert prepare(lists, tmp_path / "out", settings) == report._replace(probed=0)
    assert files_of(tmp_path / "out") == before
    lenient = prepare(lists, tmp_path / "out", settings._replace(min_frames=1))
    assert any("move it back" in reason for reason in lenient.faults.values())
    with pytest.raises(ValueError, match=r"bad is inside of .*videos"):
        prepare(lists, tmp_path / "out", Settings(1, quarantine=videos / "bad"))
    write_video(videos / "replacement" / "bad_half.avi")
    again = prepare(lists, tmp_path / "out", settings)
    assert "replacement/bad_half.avi\t1\n" in (tmp_path / "out" / "train.txt").read_text()
    assert (again.probed, again.usable) == (1, report.usable + 1)


def test_stopped_run_goes_on_where_it_was(lists, tmp_path, monkeypatch, capsys) -> None:
    """Nothing is written before all is known; what may pass is said, and tried again."""

    def probe(path: str) -> Probe:
        if path.endswith("d.avi"):
            return Probe(error="took longer than 60 s", transient=True)
        return Probe(30, 30, flat=path.endswith("b.avi")) if "bad" not in path else Probe(error="x")

    def run(stop_at: int):
        def serial(_, paths, workers, timeout):
            for count, path in enumerate(paths):
                if count == stop_at:
                    raise KeyboardInterrupt
                yield path, probe(path)

        return serial

    monkeypatch.setattr(probing, "run_isolated", run(3))
    with pytest.raises(KeyboardInterrupt):
        prepare(lists, tmp_path / "out", ONE)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["probes.jsonl"]
    monkeypatch.setattr(probing, "run_isolated", run(-1))
    whole = prepare(lists, tmp_path / "whole", ONE)
    report = prepare(lists, tmp_path / "out", Settings(1, quarantine=tmp_path))
    assert report.probed == whole.probed - 3 and (report.usable, report.passing) == (3, 1)
    assert [path.name for path in report.flat] == ["b.avi"]
    base = Path(__file__).parents[2] / "configs" / "slic_r3d_ucf101.py"
    assert conclude(report, tmp_path / "mine.py", base, "train.txt", "val.txt") == 1
    said = capsys.readouterr().out
    assert "1 videos could not be checked; the same command tries them again" in said
    assert "one colour throughout (black?):\n  " in said and "d.avi: took longer than 60 s" in said
    assert (tmp_path / "videos" / "wave" / "d.avi").is_file()  # is not moved
    for name in ("train.txt", "val.txt", "missing.txt", "extra.txt"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert prepare(lists, tmp_path / "out", ONE).probed == 1
