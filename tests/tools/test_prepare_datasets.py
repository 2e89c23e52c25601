"""The preparation scripts, from what a user has downloaded to what a config reads."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from mmengine.config import Config

from slic_mmaction.datasets.videos import build_videos, true_labels

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
DATA = ROOT / "tools" / "data"
Main = Callable[[list[str]], int]


def load(script: str) -> Main:
    spec = importlib.util.spec_from_file_location(script.replace("/", "_"), DATA / script)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return lambda arguments: module.main(["--workers", "1", *map(str, arguments)])


def write_video(path: Path, count: int = 8) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    plain = path.with_name(f"plain{path.suffix}")
    code = cv2.VideoWriter.fourcc(*("mp4v" if path.suffix == ".mp4" else "XVID"))
    writer = cv2.VideoWriter(str(plain), code, 25, (96, 64))
    for t in range(count):
        writer.write(np.full((64, 96, 3), 20 * t % 255, np.uint8))
    writer.release()
    return plain.rename(path)


def paths_and_labels(dataset: dict) -> list[tuple[str, int]]:
    videos = build_videos(dataset)
    infos = [videos.get_data_info(i) for i in range(len(videos))]
    assert all(Path(info["filename"]).is_file() for info in infos)
    return [(Path(info["filename"]).name, info["label"]) for info in infos]


@pytest.fixture
def ucf_archives(tmp_path: Path) -> list[Path]:
    """UCF101's two archives, small, with a broken and a missing video; all as .zip."""
    videos = tmp_path / "UCF101.zip"
    names = ["Archery/v_Archery_g08_c01.avi", "YoYo/v_YoYo_g01_c01.avi", "YoYo/v_YoYo_g08_c02.avi"]
    with zipfile.ZipFile(videos, "w") as archive:
        for name in names:
            archive.write(write_video(tmp_path / "made" / name), f"UCF-101/{name}")
        archive.writestr("UCF-101/YoYo/v_YoYo_g08_c01.avi", "cut off")
    splits = tmp_path / "UCF101TrainTestSplits-RecognitionTask.zip"
    with zipfile.ZipFile(splits, "w") as archive:
        archive.writestr("ucfTrainTestlist/classInd.txt", "1 Archery\r\n2 YoYo\r\n")
        for i in (1, 2, 3):
            train = [f"{name} {1 + ('YoYo' in name)}" for name in (names[0], names[2])]
            train += ["YoYo/v_YoYo_g08_c01.avi 2", "Archery/v_Archery_g09_c01.avi 1"]
            archive.writestr(f"ucfTrainTestlist/trainlist0{i}.txt", "\r\n".join(train))
            archive.writestr(f"ucfTrainTestlist/testlist0{i}.txt", f"{names[1]}\r\n")
    return [videos, splits]


def test_ucf101_in_its_usual_place(ucf_archives, tmp_path, monkeypatch, capsys) -> None:
    """Exactly what the stock config names, and the stock config as the next command."""
    monkeypatch.chdir(tmp_path)
    main = load("ucf101/prepare.py")
    assert main(["--archives", *ucf_archives]) == 0
    said = capsys.readouterr().out
    assert "archives: 2, unpacked now: 2" in said
    assert "usable: 3, missing: 1, quarantined: 1" in said
    assert "Archery 1" in said and "v_YoYo_g08_c01.avi: no video in it" in said
    assert said.endswith("next: python tools/train.py configs/slic_r3d_ucf101.py\n")
    config = Config.fromfile(ROOT / "configs" / "slic_r3d_ucf101.py")
    train = paths_and_labels(config.train_dataloader.dataset.dataset)
    assert train == [("v_Archery_g08_c01.avi", 0), ("v_YoYo_g08_c02.avi", 1)]
    val = config.val_dataloader.dataset
    assert paths_and_labels(val.query) == [("v_YoYo_g01_c01.avi", 1)]
    assert paths_and_labels(val.gallery) == train

    files = {path: path.read_bytes() for path in Path("data").rglob("*") if path.is_file()}
    assert main(["--archives", *ucf_archives]) == 0
    said = capsys.readouterr().out
    assert "unpacked now: 0" in said and "(probed now: 0)" in said
    assert {path: path.read_bytes() for path in Path("data").rglob("*") if path.is_file()} == files


def test_ucf101_elsewhere_comes_with_a_config(ucf_archives, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    assert load("ucf101/prepare.py")(["--root", "my data", "--archives", *ucf_archives]) == 0
    written = tmp_path / "my data" / "slic_r3d_ucf101.py"
    assert (
        f"next: python tools/train.py '{Path('my data') / written.name}'" in capsys.readouterr().out
    )
    config = Config.fromfile(written)
    assert len(paths_and_labels(config.train_dataloader.dataset.dataset)) == 2
    assert len(paths_and_labels(config.val_dataloader.dataset.query)) == 1
    assert config.model == Config.fromfile(ROOT / "configs" / "slic_r3d_ucf101.py").model


def test_hmdb51_from_unpacked_folders(tmp_path: Path, capsys) -> None:
    root = tmp_path / "hmdb51"
    write_video(root / "videos" / "brush_hair" / "#1_Clap & Go!_u_nm_np1.avi")
    write_video(root / "videos" / "wave" / "b.avi")
    lists = root / "annotations" / "testTrainMulti_7030_splits"
    lists.mkdir(parents=True)
    for i in (1, 2, 3):
        (lists / f"brush_hair_test_split{i}.txt").write_text("#1_Clap & Go!_u_nm_np1.avi 1 \n")
        (lists / f"wave_test_split{i}.txt").write_text(f"b.avi {0 if i == 3 else 2} \n")
    assert load("hmdb51/prepare.py")(["--root", root]) == 0
    said = capsys.readouterr().out
    assert "official ones 3570" in said and "separated by '\\t'" in said
    config = Config.fromfile(root / "slic_r3d_hmdb51.py")
    train = paths_and_labels(config.train_dataloader.dataset.dataset)
    assert train == [("#1_Clap & Go!_u_nm_np1.avi", 0)]
    assert paths_and_labels(config.val_dataloader.dataset.query) == [("b.avi", 1)]
    assert (root / "hmdb51_val_split_3_videos.txt").read_text() == ""


@pytest.fixture
def kinetics(tmp_path: Path) -> Path:
    root = tmp_path / "kinetics400"
    (root / "annotations").mkdir(parents=True)
    header = "label,youtube_id,time_start,time_end,split\n"
    (root / "annotations" / "train.csv").write_text(
        header + "air drumming,-aaaaaaaaa_,1,11,train\nzumba,bbbbbbbbbbb,10,20,train\n"
        "zumba,ccccccccccc,10,20,train\n"
    )
    (root / "annotations" / "validate.csv").write_text(header + "zumba,ddddddddddd,0,10,validate\n")
    write_video(root / "videos_train" / "air drumming" / "-aaaaaaaaa__000001_000011.mp4")
    write_video(root / "videos_train" / "zumba" / "bbbbbbbbbbb_000010_000020.mp4")
    write_video(root / "videos_val" / "ddddddddddd_000000_000010.mp4")
    return root


def test_kinetics400_with_spaces_in_folders(kinetics: Path, capsys) -> None:
    main = load("kinetics400/prepare.py")
    assert main(["--root", kinetics]) == 0
    said = capsys.readouterr().out
    assert "usable: 3, missing: 1" in said and "zumba 1" in said and "not 400" in said
    config = Config.fromfile(kinetics / "slic_r3d_kinetics400_train.py")
    videos = config.train_dataloader.dataset.dataset
    assert paths_and_labels(videos) == [
        ("-aaaaaaaaa__000001_000011.mp4", 0), ("bbbbbbbbbbb_000010_000020.mp4", 1),
    ]  # fmt: skip
    assert config.val_dataloader is config.val_cfg is config.val_evaluator is None

    assert main(["--root", kinetics, "--underscore-folders"]) == 0
    assert "class folders renamed: 1" in capsys.readouterr().out
    text = (kinetics / "kinetics400_train_list_videos.txt").read_text()
    assert text.splitlines()[0] == "air_drumming/-aaaaaaaaa__000001_000011.mp4 0"


def test_kinetics400_without_videos_says_where_they_belong(kinetics: Path, tmp_path: Path) -> None:
    main = load("kinetics400/prepare.py")
    with pytest.raises(FileNotFoundError, match="--videos-train"):
        main(["--root", tmp_path])
    with pytest.raises(FileNotFoundError, match="no folder of test videos"):
        main(["--root", kinetics, "--videos-test", tmp_path / "nowhere"])


def test_own_videos(tmp_path: Path, capsys) -> None:
    for i in range(4):
        write_video(tmp_path / "my videos" / f"holiday {i}.mp4")
    out = tmp_path / "out"
    arguments = [tmp_path / "my videos", "--root", out, "--holdout", "0.25"]
    assert load("custom/prepare.py")(arguments) == 0
    config = Config.fromfile(out / "slic_r3d_custom.py")
    videos = config.train_dataloader.dataset.dataset
    assert {label for _, label in paths_and_labels(videos)} == {-1}
    assert true_labels(build_videos(videos)) is None
    assert len((out / "custom_train_list_videos.txt").read_text().splitlines()) == 3
    assert len((out / "custom_val_list_videos.txt").read_text().splitlines()) == 1
    assert config.val_dataloader is None and "usable: 4" in capsys.readouterr().out


def test_only_broken_videos_end_with_an_exit_code(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "videos" / "x.avi").touch()
    assert load("custom/prepare.py")([tmp_path / "videos", "--root", tmp_path / "out"]) == 1


def test_resized_videos_can_be_prepared(tmp_path: Path, capsys) -> None:
    pytest.importorskip("av")
    write_video(tmp_path / "videos" / "a" / "1.avi")
    (tmp_path / "videos" / "a" / "2.avi").write_text("broken")
    main = load("resize_videos.py")
    assert main([tmp_path / "videos", tmp_path / "small", "--short-side", "32"]) == 0
    assert "resized now: 1" in capsys.readouterr().out
    assert load("custom/prepare.py")([tmp_path / "small", "--root", tmp_path / "out"]) == 0
    assert (tmp_path / "out" / "custom_train_list_videos.txt").read_text() == "a/1.mp4 -1\n"


@pytest.mark.slow
def test_killed_run_goes_on_where_it_was(tmp_path: Path) -> None:
    """As a user types it. A pipe that nobody writes to holds the first run up."""
    for i in range(4):
        write_video(tmp_path / "videos" / f"{i}.avi")
    os.mkfifo(tmp_path / "videos" / "zz.avi")
    out = tmp_path / "out"
    command = [sys.executable, str(DATA / "custom" / "prepare.py"), str(tmp_path / "videos")]
    command += ["--root", str(out), "--workers", "1"]
    run = subprocess.Popen(command, cwd=ROOT)
    journal = out / "probes.jsonl"
    for _ in range(600):
        time.sleep(0.1)
        assert run.poll() is None
        if journal.is_file() and len(journal.read_bytes().splitlines()) == 4:
            break
    run.send_signal(signal.SIGKILL)
    assert run.wait() == -signal.SIGKILL
    assert not list(out.glob("*.txt"))
    time.sleep(2)  # the worker, which still waits for the pipe, has to notice
    with pytest.raises(OSError, match="No such device"):
        os.open(tmp_path / "videos" / "zz.avi", os.O_WRONLY | os.O_NONBLOCK)
    (tmp_path / "videos" / "zz.avi").unlink()
    write_video(tmp_path / "videos" / "zz.avi")
    again = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert again.returncode == 0 and "videos found: 5 (probed now: 1), usable: 5" in again.stdout


@pytest.mark.slow
def test_bad_input_ends_with_one_sentence(tmp_path: Path) -> None:
    script = str(DATA / "ucf101" / "prepare.py")
    command = [sys.executable, script, "--root", str(tmp_path), "--archives", "UCF102.rar"]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert run.returncode == 1 and run.stdout == ""
    assert run.stderr.splitlines()[-1] == "prepare.py: There is no archive UCF102.rar."
    assert "Traceback" not in run.stderr
