"""The preparation scripts, from what a user has downloaded to what a config reads."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import ModuleType

import pytest
from mmengine.config import Config

from slic_mmaction.datasets.videos import build_videos, true_labels
from slic_mmaction.preparation.lists import Entry, VideoLists

from .conftest import load_tool

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tools" / "data"
SHARED_SPLITS = ROOT.parent / "shared" / "data" / "splits" / "ucf101"
VIDEOS = Path("videos")


UCF101, HMDB51, KINETICS, CUSTOM = (
    load_tool(f"data/{name}/prepare.py") for name in ("ucf101", "hmdb51", "kinetics400", "custom")
)


@pytest.fixture
def run(capsys):
    def run(tool: ModuleType, *arguments: object, code: int = 0) -> str:
        assert tool.main(["--workers", "1", *map(str, arguments)]) == code
        return capsys.readouterr().out

    return run


@pytest.fixture
def place(video_set: Path):
    """Copies of one small video."""

    def place(root: Path, *names: str) -> None:
        for name in names:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(video_set / "test_0.mp4", root / name)

    return place


def write(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_bytes(text.encode())
    return folder


def paths_and_labels(dataset: dict) -> list[tuple[str, int]]:
    videos = build_videos(dataset)
    infos = [videos.get_data_info(i) for i in range(len(videos))]
    assert all(Path(info["filename"]).is_file() for info in infos)
    return [(Path(info["filename"]).name, info["label"]) for info in infos]


def entries(lists: VideoLists) -> dict[str, list[tuple[str, int]]]:
    return {s.file_name: [(str(e), e.label) for e in s.entries] for s in lists.splits}


@pytest.fixture
def ucf(tmp_path: Path) -> Path:
    """Split files as in the archive: a folder of their own, Windows line ends."""
    files = {"classInd.txt": "1 Archery\r\n2 YoYo\r\n"}
    for i in (1, 2, 3):
        train = f"YoYo/v_YoYo_g08_c0{i}.avi 2\r\nArchery/v_Archery_g08_c01.avi 1\r\n"
        files |= {f"trainlist0{i}.txt": train, f"testlist0{i}.txt": "YoYo/v_YoYo_g01_c01.avi\r\n"}
    return write(tmp_path / "splits" / "ucfTrainTestlist", files)


def test_lists_of_ucf101(ucf: Path) -> None:
    lists = UCF101.read_lists(ucf.parent, VIDEOS)
    read = entries(lists)
    parts = [f"ucf101_{part}_split_{i}_videos.txt" for i in (1, 2, 3) for part in ("train", "val")]
    assert list(read) == parts
    assert read[parts[2]] == [("YoYo/v_YoYo_g08_c02", 1), ("Archery/v_Archery_g08_c01", 0)]
    assert read[parts[1]] == [("YoYo/v_YoYo_g01_c01", 1)]
    assert len(lists.warnings) == 6 and "list 2 videos, the official ones 9537" in lists.warnings[0]
    for name, line, message in (
        ("trainlist01", "Surfing/v.avi 3", "trainlist01.txt:2: no class 'Surfing'"),
        ("trainlist01", "YoYo/v.avi 1", "trainlist01.txt:2: label '1', but YoYo is class 2"),
        ("trainlist01", "v_YoYo_g01_c01.avi", "trainlist01.txt:2: no class ''"),
        ("classInd", "YoYo 2", "classInd.txt:2: expected 'number class'"),
    ):
        write(ucf, {f"{name}.txt": f"1 YoYo\n{line}" if name[0] == "c" else f"\n{line}"})
        with pytest.raises(ValueError, match=message):
            UCF101.read_lists(ucf, VIDEOS)
    write(ucf, {"classInd.txt": "1 Archery\n2 YoYo"})
    (ucf / "trainlist01.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"trainlist01.txt is missing.*--archives"):
        UCF101.read_lists(ucf, VIDEOS)


@pytest.mark.skipif(not SHARED_SPLITS.is_dir(), reason="needs the official split files")
def test_official_ucf101_lists_have_the_official_counts() -> None:
    lists = UCF101.read_lists(SHARED_SPLITS, VIDEOS)
    assert [len(s.entries) for s in lists.splits] == [9537, 3783, 9586, 3734, 9624, 3696]
    assert lists.warnings == () and {e.label for e in lists.splits[0].entries} == set(range(101))
    for train, val in zip(lists.splits[::2], lists.splits[1::2]):
        assert not set(train.entries) & set(val.entries)


def test_ucf101_from_its_archives(run, place, ucf, tmp_path: Path, monkeypatch) -> None:
    """Exactly what the stock config names, and the stock config as the next command."""
    monkeypatch.chdir(tmp_path)
    names = ("Archery/v_Archery_g08_c01", "YoYo/v_YoYo_g01_c01", "YoYo/v_YoYo_g08_c01")
    place(tmp_path / "made", *(f"UCF-101/{name}.avi" for name in names))
    (tmp_path / "made/UCF-101/YoYo/v_YoYo_g08_c02.avi").write_text("cut off")
    archives = [shutil.make_archive("UCF101", "zip", "made"),
                shutil.make_archive("TrainTestSplits", "gztar", "splits")]  # fmt: skip
    said = run(UCF101, "--archives", *archives)
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

    files = {path: path.read_bytes() for path in Path("data").rglob("*.*")}
    said = run(UCF101, "--archives", *archives)
    assert "unpacked now: 0" in said and "(probed now: 0)" in said
    assert {path: path.read_bytes() for path in Path("data").rglob("*.*")} == files

    Path("data/ucf101").rename("my data")  # elsewhere it comes with a config
    said = run(UCF101, "--root", "my data")
    assert said.endswith("next: python tools/train.py 'my data/slic_r3d_ucf101.py'\n")
    moved = Config.fromfile("my data/slic_r3d_ucf101.py")
    assert paths_and_labels(moved.train_dataloader.dataset.dataset) == train
    assert len(paths_and_labels(moved.val_dataloader.dataset.query)) == 1
    assert moved.model == config.model


def test_hmdb51_from_unpacked_folders(run, place, tmp_path: Path) -> None:
    """`sword` and `sword_exercise`: their files sort the other way round than their names."""
    files = {}
    for i in (1, 2, 3):
        other = "#20_Clap & go!_0.avi 1 \nc.d.avi 0 \n" if i < 3 else "c.d.avi 2 \n"
        files |= {f"sword_test_split{i}.txt": "a_sword.avi 1 \nb_sword.avi 2 \n",
                  f"sword_exercise_test_split{i}.txt": other}  # fmt: skip
    folder = write(tmp_path / "annotations" / "testTrainMulti_7030_splits", files)
    lists = HMDB51.read_lists(tmp_path / "annotations", VIDEOS)
    last = entries(lists)["hmdb51_val_split_3_videos.txt"]
    assert last == [("sword/b_sword", 0), ("sword_exercise/c.d", 1)]
    assert set(lists.unused) == {Entry("sword_exercise", "c.d", 1)}
    assert [split.official_count for split in lists.splits] == [3570, 1530] * 3

    names = ("sword/b_sword.avi", "other/x.avi", "sword_exercise/#20_Clap & go!_0.avi")
    place(tmp_path / "videos", *names)
    said = run(HMDB51, "--root", tmp_path)
    assert "official ones 3570" in said and "separated by '\\t'" in said and "no list: 1" in said
    config = Config.fromfile(tmp_path / "slic_r3d_hmdb51.py")
    train = paths_and_labels(config.train_dataloader.dataset.dataset)
    assert train == [("#20_Clap & go!_0.avi", 1)]
    assert paths_and_labels(config.val_dataloader.dataset.query) == [("b_sword.avi", 0)]

    for line in ("b_sword.avi 3", "b_sword.avi", "2"):
        write(folder, {"sword_test_split2.txt": f"\n{line}\n"})
        with pytest.raises(ValueError, match=r"sword_test_split2.txt:2: expected 'video.avi code'"):
            HMDB51.read_lists(folder, VIDEOS)
    (folder / "sword_test_split2.txt").unlink()
    for place_of_lists, message in (
        (folder, r"sword_test_split2.txt is missing"),
        (tmp_path / "videos", r"_test_split1.txt.*_splits.rar"),
    ):
        with pytest.raises(FileNotFoundError, match=message):
            HMDB51.read_lists(place_of_lists, VIDEOS)


def test_kinetics400_with_spaces_in_folders(run, place, tmp_path: Path) -> None:
    header = "label,youtube_id,time_start,time_end,split\n"
    root = tmp_path / "kinetics400"
    folder = write(root / "annotations", {
        "train.csv": header + "air drumming,-aaaaaaaaa_,1.0,11,train\n"
        'zumba,bbbbbbbbbbb,10,20,train\n"shooting goal (soccer)",ccccccccccc,10,20,train\n'
        "zumba,bbbbbbbbbbb,10,20,train\n",
        "validate.csv": header + "zumba,ddddddddddd,0,10,validate\n",
        "kinetics_test.csv": "youtube_id,time_start,time_end\neeeeeeeeeee,5,15\n",
    })  # fmt: skip
    place(root, "videos_train/air drumming/-aaaaaaaaa__000001_000011.mp4",
          "videos_train/zumba/bbbbbbbbbbb_000010_000020.mp4",
          "videos_val/ddddddddddd_000000_000010.mp4")  # fmt: skip
    said = run(KINETICS, "--root", root)
    assert "usable: 3, missing: 1" in said and "goal_(soccer) 1" in said and "not 400" in said
    config = Config.fromfile(root / "slic_r3d_kinetics400_train.py")
    read = paths_and_labels(config.train_dataloader.dataset.dataset)
    assert read == [("-aaaaaaaaa__000001_000011.mp4", 0), ("bbbbbbbbbbb_000010_000020.mp4", 2)]
    assert config.val_dataloader is config.val_cfg is config.val_evaluator is None
    # The paper's settings for Kinetics-400.
    assert (
        config.train_dataloader.dataset.p_same_video == 0.5 and config.train_cfg.max_epochs == 340
    )
    (root / "videos_train" / "air_drumming").mkdir()
    with pytest.raises(FileExistsError, match=r"air_drumming exists, too"):
        run(KINETICS, "--root", root, "--underscore-folders")
    (root / "videos_train" / "air_drumming").rmdir()
    said = run(KINETICS, "--root", root, "--underscore-folders")
    assert "class folders renamed: 1" in said
    text = (root / "kinetics400_train_list_videos.txt").read_text()
    assert text.splitlines()[0] == "air_drumming/-aaaaaaaaa__000001_000011.mp4 0"
    read = entries(KINETICS.read_lists(folder, {"test": VIDEOS}))
    assert list(read.values()) == [[("unlabelled/eeeeeeeeeee_000005_000015", -1)]]

    for text, message in (
        (header + "zumba,ccccccccccc,zero,10,train\n", "train.csv:2: expected times in seconds"),
        (header + "zumba,ccccccccccc\n", "train.csv:2: expected times"),
        (header + "zumba,ccccccccccc,0,10,training\n", "train.csv:2: .* split of train, val"),
        ("label,id\nzumba,ccccccccccc\n", "train.csv: no column 'youtube_id'"),
        ("", "train.csv: no column 'youtube_id'"),
        (header, "No CSV file in .* lists train videos"),
    ):
        write(folder, {"train.csv": text})
        with pytest.raises((ValueError, FileNotFoundError), match=message):
            KINETICS.read_lists(folder, {"train": VIDEOS})
    for arguments, message in (
        (["--root", tmp_path], "--videos-train"),
        (["--videos-test", tmp_path / "no"], "no folder of test videos"),
    ):
        with pytest.raises(FileNotFoundError, match=message):
            run(KINETICS, *arguments)


def test_own_videos(run, place, tmp_path: Path) -> None:
    videos, out = tmp_path / "my videos", tmp_path / "out"
    place(videos, *(f"holiday {i}.mp4" for i in range(4)), "two\nlines.mp4", "cover.jpg")
    said = run(CUSTOM, videos, "--root", out, "--holdout", "0.25")
    assert "usable: 4" in said and "skipped: 1 .jpg" in said and "has a line break" in said
    config = Config.fromfile(out / "slic_r3d_custom.py")
    dataset = config.train_dataloader.dataset.dataset
    assert {label for _, label in paths_and_labels(dataset)} == {-1}
    assert true_labels(build_videos(dataset)) is None and config.val_dataloader is None
    train, val = out / CUSTOM.TRAIN, out / CUSTOM.VAL
    lines = train.read_text().splitlines() + val.read_text().splitlines()
    assert sorted(lines) == [f"holiday {i}.mp4\t-1" for i in range(4)] and len(lines) == 4
    assert CUSTOM.list_videos(videos, 0.25) == CUSTOM.list_videos(videos, 0.25)

    write(out, {"slic_r3d_custom.py": "# mine\n"})
    assert "was edited and stays as it is" in run(CUSTOM, videos, "--root", out)
    assert not val.exists() and len(train.read_text().splitlines()) == 4
    with pytest.raises(ValueError, match="none for training"):
        run(CUSTOM, videos, "--root", out, "--holdout", "1")
    texts = write(tmp_path / "texts", {"a.txt": "", "b.txt": ""})
    with pytest.raises(ValueError, match=r"holds no videos \(skipped: 2 .txt\)"):
        run(CUSTOM, texts)
    write(texts, {"x.avi": "broken"})
    assert run(CUSTOM, texts, "--root", out, code=1).endswith("No video is usable.\n")


def running(session: int) -> bool:
    """Whether a process of a session is there and not only waits to be buried."""
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            state, _, _, of_session = stat.read_text().rpartition(")")[2].split()[:4]
            if int(of_session) == session and state not in "ZX":
                return True
    return False


@pytest.mark.slow
def test_killed_run_goes_on_where_it_was(run, place, tmp_path: Path) -> None:
    """As a user types it. A pipe that nobody writes to holds the first run up."""
    videos, out = tmp_path / "videos", tmp_path / "out"
    place(videos, *(f"{i}.avi" for i in range(4)))
    os.mkfifo(videos / "zz.avi")
    command = [sys.executable, DATA / "custom" / "prepare.py", videos, "--root", out]
    command += ["--workers", "1", "--timeout", "9999"]
    first = subprocess.Popen(list(map(str, command)), start_new_session=True)
    journal = out / "probes.jsonl"
    while not journal.is_file() or journal.read_bytes().count(b"\n") < 4:
        assert first.poll() is None
        time.sleep(0.05)
    first.send_signal(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL and not list(out.glob("*.txt"))
    while running(first.pid):  # the worker notices, though it still waits for the pipe
        time.sleep(0.05)
    (videos / "zz.avi").unlink()
    place(videos, "zz.avi")
    said = run(CUSTOM, videos, "--root", out)
    assert "videos found: 5 (probed now: 1), usable: 5" in said
