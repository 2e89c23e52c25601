"""Reading what the official sites offer."""

from __future__ import annotations

from pathlib import Path

import pytest

from slic_mmaction.preparation import hmdb51, kinetics400, ucf101
from slic_mmaction.preparation.lists import Entry, VideoLists

SHARED_SPLITS = Path(__file__).parents[3] / "shared" / "data" / "splits" / "ucf101"
VIDEOS = Path("videos")


def entries(lists: VideoLists) -> dict[str, list[tuple[str, int]]]:
    return {s.file_name: [(str(e), e.label) for e in s.entries] for s in lists.splits}


@pytest.fixture
def ucf(tmp_path: Path) -> Path:
    """Split files as in the archive: a folder of their own, Windows line ends."""
    folder = tmp_path / "ucfTrainTestlist"
    folder.mkdir()
    (folder / "classInd.txt").write_bytes(b"1 Archery\r\n2 YoYo\r\n")
    for i in (1, 2, 3):
        train = b"YoYo/v_YoYo_g08_c0%d.avi 2\r\nArchery/v_Archery_g08_c01.avi 1\r\n" % i
        (folder / f"trainlist0{i}.txt").write_bytes(train)
        (folder / f"testlist0{i}.txt").write_bytes(b"Archery/v_Archery_g01_c01.avi\r\n")
    return tmp_path


def test_ucf101(ucf: Path) -> None:
    lists = ucf101.read_lists(ucf, VIDEOS)
    read = entries(lists)
    assert list(read) == [
        f"ucf101_{part}_split_{i}_videos.txt" for i in (1, 2, 3) for part in ("train", "val")
    ]
    assert read["ucf101_train_split_2_videos.txt"] == [
        ("YoYo/v_YoYo_g08_c02", 1), ("Archery/v_Archery_g08_c01", 0),
    ]  # fmt: skip
    assert read["ucf101_val_split_1_videos.txt"] == [("Archery/v_Archery_g01_c01", 0)]
    assert len(lists.warnings) == 6 and "list 2 videos, the official ones 9537" in lists.warnings[0]


@pytest.mark.parametrize(
    ("name", "line", "message"),
    [
        ("trainlist01.txt", "Surfing/v.avi 3", r"trainlist01.txt:2: no class 'Surfing'"),
        ("trainlist01.txt", "YoYo/v.avi 1", r"trainlist01.txt:2: label '1', but YoYo is class 2"),
        ("testlist03.txt", "v_YoYo_g01_c01.avi", r"testlist03.txt:2: no class ''"),
        ("classInd.txt", "YoYo 2", r"classInd.txt:2: expected 'number class'"),
    ],
)
def test_wrong_line_of_ucf101_is_named(ucf: Path, name: str, line: str, message: str) -> None:
    path = ucf / "ucfTrainTestlist" / name
    path.write_text(path.read_text().split("\n")[0] + "\n" + line + "\n")
    with pytest.raises(ValueError, match=message):
        ucf101.read_lists(ucf, VIDEOS)


def test_missing_lists_say_what_to_do(ucf: Path, tmp_path: Path) -> None:
    (ucf / "ucfTrainTestlist" / "testlist02.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"testlist02.txt is missing.*--archives"):
        ucf101.read_lists(ucf, VIDEOS)
    with pytest.raises(FileNotFoundError, match=r"_test_split1.txt.*test_train_splits.rar"):
        hmdb51.read_lists(tmp_path, VIDEOS)


@pytest.mark.skipif(not SHARED_SPLITS.is_dir(), reason="needs the official split files")
def test_official_ucf101_lists_have_the_official_counts() -> None:
    lists = ucf101.read_lists(SHARED_SPLITS, VIDEOS)
    assert [len(s.entries) for s in lists.splits] == [9537, 3783, 9586, 3734, 9624, 3696]
    assert lists.warnings == () and {e.label for e in lists.splits[0].entries} == set(range(101))
    for train, val in zip(lists.splits[::2], lists.splits[1::2]):
        assert not set(train.entries) & set(val.entries)


@pytest.fixture
def hmdb(tmp_path: Path) -> Path:
    """`sword` and `sword_exercise`: their files sort the other way round than their names."""
    folder = tmp_path / "testTrainMulti_7030_splits"
    folder.mkdir()
    for i in (1, 2, 3):
        (folder / f"sword_test_split{i}.txt").write_text("a_sword.avi 1 \nb_sword.avi 2 \n")
        (folder / f"sword_exercise_test_split{i}.txt").write_text(
            "#20_Clap & go!_0.avi 1 \nc.d.avi 0 \n" if i < 3 else "c.d.avi 2 \n"
        )
    return tmp_path


def test_hmdb51(hmdb: Path) -> None:
    lists = hmdb51.read_lists(hmdb, VIDEOS)
    read = entries(lists)
    assert read["hmdb51_train_split_1_videos.txt"] == [
        ("sword/a_sword", 0), ("sword_exercise/#20_Clap & go!_0", 1),
    ]  # fmt: skip
    assert read["hmdb51_val_split_1_videos.txt"] == [("sword/b_sword", 0)]
    assert read["hmdb51_val_split_3_videos.txt"] == [
        ("sword/b_sword", 0),
        ("sword_exercise/c.d", 1),
    ]
    assert set(lists.unused) == {Entry("sword_exercise", "c.d", 1)}
    assert [split.official_count for split in lists.splits] == [3570, 1530] * 3


@pytest.mark.parametrize("line", ["b_sword.avi 3", "b_sword.avi", "2"])
def test_wrong_code_of_hmdb51_is_named(hmdb: Path, line: str) -> None:
    path = hmdb / "testTrainMulti_7030_splits" / "sword_test_split2.txt"
    path.write_text(f"a_sword.avi 1\n{line}\n")
    with pytest.raises(ValueError, match=r"sword_test_split2.txt:2: expected 'video.avi code'"):
        hmdb51.read_lists(hmdb, VIDEOS)


def test_class_of_hmdb51_without_a_split_is_named(hmdb: Path) -> None:
    (hmdb / "testTrainMulti_7030_splits" / "sword_test_split3.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"sword_test_split3.txt is missing"):
        hmdb51.read_lists(hmdb, VIDEOS)


HEADER = "label,youtube_id,time_start,time_end,split\n"


@pytest.fixture
def kinetics(tmp_path: Path) -> Path:
    (tmp_path / "train.csv").write_text(
        HEADER + 'zumba,-0aBc_d1234,10,20,train\n"shooting goal (soccer)",aaaaaaaaaaa,3,13,train\n'
        "air drumming,bbbbbbbbbbb,130.0,140.0,train\nzumba,-0aBc_d1234,10,20,train\n"
    )
    (tmp_path / "validate.csv").write_text(HEADER + "zumba,ccccccccccc,0,10,validate\n")
    (tmp_path / "kinetics_test.csv").write_text(
        "youtube_id,time_start,time_end,split\nddddddddddd,5,15,test\n"
    )
    return tmp_path


def test_kinetics400(kinetics: Path) -> None:
    folders = {part: Path(part) for part in ("train", "val", "test")}
    lists = kinetics400.read_lists(kinetics, folders)
    assert entries(lists) == {
        "kinetics400_train_list_videos.txt": [
            ("zumba/-0aBc_d1234_000010_000020", 2),
            ("shooting_goal_(soccer)/aaaaaaaaaaa_000003_000013", 1),
            ("air_drumming/bbbbbbbbbbb_000130_000140", 0),
        ],
        "kinetics400_val_list_videos.txt": [("zumba/ccccccccccc_000000_000010", 2)],
        "kinetics400_test_list_videos.txt": [("unlabelled/ddddddddddd_000005_000015", -1)],
    }
    assert [split.videos for split in lists.splits] == list(folders.values())
    assert "name 3 classes, not 400" in lists.warnings[0]


def test_split_of_kinetics_from_the_name_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "kinetics_val.csv").write_text(
        "label,youtube_id,time_start,time_end\nzumba,ccccccccccc,0,10\n"
    )
    lists = kinetics400.read_lists(tmp_path, {"val": VIDEOS})
    assert entries(lists)["kinetics400_val_list_videos.txt"][0][1] == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (HEADER + "zumba,ccccccccccc,zero,10,train\n", r"train.csv:2: expected times in seconds"),
        (HEADER + "zumba,ccccccccccc\n", r"train.csv:2: expected times"),
        (HEADER + "zumba,ccccccccccc,0,10,training\n", r"train.csv:2: .* split of train, val"),
        ("label,id\nzumba,ccccccccccc\n", r"train.csv: no column 'youtube_id'"),
        ("", r"train.csv: no column 'youtube_id'"),
        (HEADER, r"No CSV file in .* lists train videos"),
    ],
)
def test_wrong_csv_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "train.csv").write_text(text)
    with pytest.raises((ValueError, FileNotFoundError), match=message):
        kinetics400.read_lists(tmp_path, {"train": VIDEOS})


def test_class_folders_are_renamed_all_or_none(tmp_path: Path) -> None:
    for name in ("air drumming", "zumba", "tai chi"):
        (tmp_path / name).mkdir()
    (tmp_path / "tai_chi").mkdir()
    with pytest.raises(FileExistsError, match=r"tai_chi is there too"):
        kinetics400.underscore_class_folders(tmp_path)
    assert (tmp_path / "air drumming").is_dir()
    (tmp_path / "tai_chi").rmdir()
    assert kinetics400.underscore_class_folders(tmp_path) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"air_drumming", "zumba", "tai_chi"}
    assert kinetics400.underscore_class_folders(tmp_path) == 0
