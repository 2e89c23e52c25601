"""The preparation scripts, from what a user has downloaded to what a config reads."""

from __future__ import annotations

import importlib.util
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path
from types import ModuleType

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from slic_mmaction.datasets.videos import build_videos, true_labels
from slic_mmaction.preparation.lists import Entry, VideoLists

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tools" / "data"
SHARED_SPLITS = ROOT.parent / "shared" / "data" / "splits" / "ucf101"


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, DATA / name / "prepare.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


UCF101, HMDB51, KINETICS, CUSTOM = map(load, ("ucf101", "hmdb51", "kinetics400", "custom"))


def run(tool: ModuleType, *arguments: object) -> int:
    return tool.main(["--workers", "1", *map(str, arguments)])


@pytest.fixture(scope="session")
def video(tmp_path_factory) -> Path:
    """One small video; copies of it stand for all others."""
    path = tmp_path_factory.mktemp("video") / "x.mp4"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (96, 64))
    for t in range(8):
        grey = np.add.outer(np.arange(64), np.arange(96) + 20 * t).astype(np.uint8)
        writer.write(np.stack([grey] * 3, 2))
    writer.release()
    return path


def place(video: Path, *paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(video, path)


def write(folder: Path, **files: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.{'csv' if 'youtube_id' in text else 'txt'}").write_bytes(text.encode())
    return folder


def paths_and_labels(dataset: dict) -> list[tuple[str, int]]:
    videos = build_videos(dataset)
    infos = [videos.get_data_info(i) for i in range(len(videos))]
    assert all(Path(info["filename"]).is_file() for info in infos)
    return [(Path(info["filename"]).name, info["label"]) for info in infos]


def entries(lists: VideoLists) -> dict[str, list[tuple[str, int]]]:
    return {s.file_name: [(str(e), e.label) for e in s.entries] for s in lists.splits}


def spoil(path: Path, line: str) -> None:
    path.write_text(path.read_text().split("\n")[0] + "\n" + line + "\n")


@pytest.fixture
def ucf(tmp_path: Path) -> Path:
    """Split files as in the archive: a folder of their own, Windows line ends."""
    parts = {"classInd": "1 Archery\r\n2 YoYo\r\n"}
    for i in (1, 2, 3):
        parts[f"trainlist0{i}"] = (f"YoYo/v_YoYo_g08_c0{i}.avi 2\r\n"
                                   "Archery/v_Archery_g08_c01.avi 1\r\n")  # fmt: skip
        parts[f"testlist0{i}"] = "YoYo/v_YoYo_g01_c01.avi\r\n"
    return write(tmp_path / "splits" / "ucfTrainTestlist", **parts)


def test_lists_of_ucf101(ucf: Path) -> None:
    lists = UCF101.read_lists(ucf.parent, Path("videos"))
    read = entries(lists)
    assert list(read) == [
        f"ucf101_{part}_split_{i}_videos.txt" for i in (1, 2, 3) for part in ("train", "val")
    ]
    assert read["ucf101_train_split_2_videos.txt"] == [
        ("YoYo/v_YoYo_g08_c02", 1), ("Archery/v_Archery_g08_c01", 0),
    ]  # fmt: skip
    assert read["ucf101_val_split_1_videos.txt"] == [("YoYo/v_YoYo_g01_c01", 1)]
    assert len(lists.warnings) == 6 and "list 2 videos, the official ones 9537" in lists.warnings[0]
    for name, line, message in (
        ("trainlist01", "Surfing/v.avi 3", "trainlist01.txt:2: no class 'Surfing'"),
        ("trainlist01", "YoYo/v.avi 1", "trainlist01.txt:2: label '1', but YoYo is class 2"),
        ("trainlist01", "v_YoYo_g01_c01.avi", "trainlist01.txt:2: no class ''"),
        ("classInd", "YoYo 2", "classInd.txt:2: expected 'number class'"),
    ):
        spoil(ucf / f"{name}.txt", line)
        with pytest.raises(ValueError, match=message):
            UCF101.read_lists(ucf, Path("videos"))
    write(ucf, classInd="1 Archery\n2 YoYo\n", trainlist01="").joinpath("testlist02.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"testlist02.txt is missing.*--archives"):
        UCF101.read_lists(ucf, Path("videos"))


@pytest.mark.skipif(not SHARED_SPLITS.is_dir(), reason="needs the official split files")
def test_official_ucf101_lists_have_the_official_counts() -> None:
    lists = UCF101.read_lists(SHARED_SPLITS, Path("videos"))
    assert [len(s.entries) for s in lists.splits] == [9537, 3783, 9586, 3734, 9624, 3696]
    assert lists.warnings == () and {e.label for e in lists.splits[0].entries} == set(range(101))
    for train, val in zip(lists.splits[::2], lists.splits[1::2]):
        assert not set(train.entries) & set(val.entries)


def test_ucf101_from_its_archives(ucf, video, tmp_path, monkeypatch, capsys) -> None:
    """Exactly what the stock config names, and the stock config as the next command."""
    monkeypatch.chdir(tmp_path)
    archives = [tmp_path / "UCF101.zip", tmp_path / "UCF101TrainTestSplits-RecognitionTask.zip"]
    with zipfile.ZipFile(archives[0], "w") as archive:
        for name in ("Archery/v_Archery_g08_c01", "YoYo/v_YoYo_g01_c01", "YoYo/v_YoYo_g08_c01"):
            archive.write(video, f"UCF-101/{name}.avi")
        archive.writestr("UCF-101/YoYo/v_YoYo_g08_c02.avi", "cut off")
    with zipfile.ZipFile(archives[1], "w") as archive:
        for path in ucf.iterdir():
            archive.write(path, f"ucfTrainTestlist/{path.name}")
    assert run(UCF101, "--archives", *archives) == 0
    said = capsys.readouterr().out
    assert "archives: 2, unpacked now: 2" in said and "WARNING" in said
    assert "usable: 3, missing: 1, quarantined: 1" in said
    assert "YoYo 1" in said and "v_YoYo_g08_c02.avi: cannot be opened" in said
    assert said.endswith("next: python tools/train.py configs/slic_r3d_ucf101.py\n")
    config = Config.fromfile(ROOT / "configs" / "slic_r3d_ucf101.py")
    train = paths_and_labels(config.train_dataloader.dataset.dataset)
    assert train == [("v_YoYo_g08_c01.avi", 1), ("v_Archery_g08_c01.avi", 0)]
    val = config.val_dataloader.dataset
    assert paths_and_labels(val.query) == [("v_YoYo_g01_c01.avi", 1)]
    assert paths_and_labels(val.gallery) == train

    files = {path: path.read_bytes() for path in Path("data").rglob("*") if path.is_file()}
    assert run(UCF101, "--archives", *archives) == 0
    said = capsys.readouterr().out
    assert "unpacked now: 0" in said and "(probed now: 0)" in said
    assert {path: path.read_bytes() for path in Path("data").rglob("*") if path.is_file()} == files

    Path("data/ucf101").rename("my data")  # elsewhere it comes with a config
    assert run(UCF101, "--root", "my data") == 0
    written = Path("my data", "slic_r3d_ucf101.py")
    assert f"next: python tools/train.py '{written}'" in capsys.readouterr().out
    moved = Config.fromfile(written)
    assert paths_and_labels(moved.train_dataloader.dataset.dataset) == train
    assert len(paths_and_labels(moved.val_dataloader.dataset.query)) == 1
    assert moved.model == config.model


@pytest.fixture
def hmdb(tmp_path: Path) -> Path:
    """`sword` and `sword_exercise`: their files sort the other way round than their names."""
    for i in (1, 2, 3):
        parts = {f"sword_test_split{i}": "a_sword.avi 1 \nb_sword.avi 2 \n"}
        other = "#20_Clap & go!_0.avi 1 \nc.d.avi 0 \n" if i < 3 else "c.d.avi 2 \n"
        parts[f"sword_exercise_test_split{i}"] = other
        folder = write(tmp_path / "hmdb51" / "annotations" / "testTrainMulti_7030_splits", **parts)
    return folder


def test_hmdb51_from_unpacked_folders(hmdb, video, tmp_path: Path, capsys) -> None:
    root = tmp_path / "hmdb51"
    lists = HMDB51.read_lists(root / "annotations", Path("videos"))
    assert entries(lists)["hmdb51_val_split_3_videos.txt"] == [
        ("sword/b_sword", 0), ("sword_exercise/c.d", 1),
    ]  # fmt: skip
    assert set(lists.unused) == {Entry("sword_exercise", "c.d", 1)}
    assert [split.official_count for split in lists.splits] == [3570, 1530] * 3

    place(
        video,
        *(
            root / "videos" / name
            for name in ("sword/b_sword.avi", "other/x.avi", "sword_exercise/#20_Clap & go!_0.avi")
        ),
    )
    assert run(HMDB51, "--root", root) == 0
    said = capsys.readouterr().out
    assert "official ones 3570" in said and "separated by '\\t'" in said and "no list: 1" in said
    config = Config.fromfile(root / "slic_r3d_hmdb51.py")
    train = paths_and_labels(config.train_dataloader.dataset.dataset)
    assert train == [("#20_Clap & go!_0.avi", 1)]
    assert paths_and_labels(config.val_dataloader.dataset.query) == [("b_sword.avi", 0)]

    for line in ("b_sword.avi 3", "b_sword.avi", "2"):
        spoil(hmdb / "sword_test_split2.txt", line)
        with pytest.raises(ValueError, match=r"sword_test_split2.txt:2: expected 'video.avi code'"):
            HMDB51.read_lists(hmdb, Path("videos"))
    (hmdb / "sword_test_split2.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"sword_test_split2.txt is missing"):
        HMDB51.read_lists(hmdb, Path("videos"))
    with pytest.raises(FileNotFoundError, match=r"_test_split1.txt.*test_train_splits.rar"):
        HMDB51.read_lists(root / "videos", Path("videos"))


HEADER = "label,youtube_id,time_start,time_end,split\n"


@pytest.fixture
def kinetics(tmp_path: Path, video: Path) -> Path:
    root = tmp_path / "kinetics400"
    write(
        root / "annotations",
        train=HEADER + "air drumming,-aaaaaaaaa_,1.0,11,train\nzumba,bbbbbbbbbbb,10,20,train\n"
        '"shooting goal (soccer)",ccccccccccc,10,20,train\nzumba,bbbbbbbbbbb,10,20,train\n',
        validate=HEADER + "zumba,ddddddddddd,0,10,validate\n",
        kinetics_test="youtube_id,time_start,time_end\neeeeeeeeeee,5,15\n",
    )
    names = ("train/air drumming/-aaaaaaaaa__000001_000011",
             "train/zumba/bbbbbbbbbbb_000010_000020", "val/ddddddddddd_000000_000010")  # fmt: skip
    place(video, *(root / f"videos_{name}.mp4" for name in names))
    return root


def test_kinetics400_with_spaces_in_folders(kinetics: Path, capsys) -> None:
    assert run(KINETICS, "--root", kinetics) == 0
    said = capsys.readouterr().out
    assert "usable: 3, missing: 1" in said and "goal_(soccer) 1" in said and "not 400" in said
    config = Config.fromfile(kinetics / "slic_r3d_kinetics400_train.py")
    assert paths_and_labels(config.train_dataloader.dataset.dataset) == [
        ("-aaaaaaaaa__000001_000011.mp4", 0), ("bbbbbbbbbbb_000010_000020.mp4", 2),
    ]  # fmt: skip
    assert config.val_dataloader is config.val_cfg is config.val_evaluator is None
    (kinetics / "videos_train" / "air_drumming").mkdir()
    with pytest.raises(FileExistsError, match=r"air_drumming is there too"):
        run(KINETICS, "--root", kinetics, "--underscore-folders")
    (kinetics / "videos_train" / "air_drumming").rmdir()
    assert run(KINETICS, "--root", kinetics, "--underscore-folders") == 0
    assert "class folders renamed: 1" in capsys.readouterr().out
    text = (kinetics / "kinetics400_train_list_videos.txt").read_text()
    assert text.splitlines()[0] == "air_drumming/-aaaaaaaaa__000001_000011.mp4 0"


def test_lists_of_kinetics400(kinetics: Path, tmp_path: Path) -> None:
    read = entries(KINETICS.read_lists(kinetics / "annotations", {"test": Path("t")}))
    assert read == {
        "kinetics400_test_list_videos.txt": [("unlabelled/eeeeeeeeeee_000005_000015", -1)]
    }
    for text, message in (
        (HEADER + "zumba,ccccccccccc,zero,10,train\n", "train.csv:2: expected times in seconds"),
        (HEADER + "zumba,ccccccccccc\n", "train.csv:2: expected times"),
        (HEADER + "zumba,ccccccccccc,0,10,training\n", "train.csv:2: .* split of train, val"),
        ("label,id\nzumba,ccccccccccc\n", "train.csv: no column 'youtube_id'"),
        ("", "train.csv: no column 'youtube_id'"),
        (HEADER, "No CSV file in .* lists train videos"),
    ):
        (tmp_path / "train.csv").write_text(text)
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            KINETICS.read_lists(tmp_path, {"train": Path("videos")})
    with pytest.raises(FileNotFoundError, match="--videos-train"):
        run(KINETICS, "--root", tmp_path)
    with pytest.raises(FileNotFoundError, match="no folder of test videos"):
        run(KINETICS, "--root", kinetics, "--videos-test", tmp_path / "nowhere")


def test_own_videos(video: Path, tmp_path: Path, capsys) -> None:
    videos, out = tmp_path / "my videos", tmp_path / "out"
    place(video, *(videos / f"holiday {i}.mp4" for i in range(4)))
    (videos / "two\nlines.mp4").touch()
    (videos / "cover.jpg").touch()
    assert run(CUSTOM, videos, "--root", out, "--holdout", "0.25") == 0
    said = capsys.readouterr().out
    assert "usable: 4" in said and "no videos: 1 .jpg" in said and "holds a line break" in said
    config = Config.fromfile(out / "slic_r3d_custom.py")
    dataset = config.train_dataloader.dataset.dataset
    assert {label for _, label in paths_and_labels(dataset)} == {-1}
    assert true_labels(build_videos(dataset)) is None and config.val_dataloader is None
    train, val = out / CUSTOM.TRAIN, out / CUSTOM.VAL
    lines = train.read_text().splitlines() + val.read_text().splitlines()
    assert sorted(lines) == [f"holiday {i}.mp4\t-1" for i in range(4)] and len(lines) == 4
    assert CUSTOM.list_videos(videos, 0.25) == CUSTOM.list_videos(videos, 0.25)

    (out / "slic_r3d_custom.py").write_text("# mine\n")
    assert run(CUSTOM, videos, "--root", out) == 0
    assert not val.exists() and len(train.read_text().splitlines()) == 4
    assert "was edited and stays as it is" in capsys.readouterr().out
    assert (out / "slic_r3d_custom.py").read_text() == "# mine\n"
    with pytest.raises(ValueError, match="none to train on"):
        run(CUSTOM, videos, "--root", out, "--holdout", "1")
    write(tmp_path / "texts", a="", b="")
    with pytest.raises(ValueError, match=r"holds no videos \(passed over: 2 .txt\)"):
        run(CUSTOM, tmp_path / "texts")
    place(tmp_path / "texts" / "a.txt", tmp_path / "broken" / "x.avi")
    assert run(CUSTOM, tmp_path / "broken", "--root", out) == 1


@pytest.mark.slow
def test_killed_run_goes_on_where_it_was(video: Path, tmp_path: Path, capsys) -> None:
    """As a user types it. A pipe that nobody writes to holds the first run up."""
    videos, out = tmp_path / "videos", tmp_path / "out"
    place(video, *(videos / f"{i}.avi" for i in range(4)))
    os.mkfifo(videos / "zz.avi")
    command = [sys.executable, str(DATA / "custom" / "prepare.py"), str(videos)]
    first = subprocess.Popen([*command, "--root", str(out), "--workers", "1", "--timeout", "9999"])
    journal = out / "probes.jsonl"
    while not journal.is_file() or journal.read_bytes().count(b"\n") < 4:
        assert first.poll() is None
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    assert not list(out.glob("*.txt"))
    # The worker, which still waits for the pipe, notices; then nobody reads there any more.
    with pytest.raises(OSError, match="No such device"):
        while True:
            os.close(os.open(videos / "zz.avi", os.O_WRONLY | os.O_NONBLOCK))
            time.sleep(0.05)
    (videos / "zz.avi").unlink()
    place(video, videos / "zz.avi")
    assert run(CUSTOM, videos, "--root", out) == 0
    assert "videos found: 5 (probed now: 1), usable: 5" in capsys.readouterr().out
