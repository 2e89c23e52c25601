from __future__ import annotations

import importlib
import subprocess
import sys
import zipfile
from pathlib import Path
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

GPU = Path(__file__).parents[2] / "benchmarks" / "gpu"


@pytest.fixture
def carry(monkeypatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(GPU))
    return importlib.import_module("carry")


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 400), max_size=12), st.integers(1, 150))
def test_every_byte_travels_once_and_no_transfer_is_too_large(sizes, room) -> None:
    spec = importlib.util.spec_from_file_location("carry_plan", GPU / "carry.py")
    carry = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(carry)
    files = [(Path(f"f{number}"), size) for number, size in enumerate(sizes)]
    transfers = carry.plan(files, room)
    pieces = [piece for transfer in transfers for piece in transfer]
    assert all(sum(p.end - p.begin for p in transfer) <= room for transfer in transfers)
    for path, size in files:
        own = sorted((p for p in pieces if p.path == path), key=lambda p: p.number)
        assert own[0].begin == 0 and own[-1].end == size and len(own) == own[0].of
        assert all(a.end == b.begin for a, b in zip(own, own[1:]))


def test_no_room_is_one_sentence(carry) -> None:
    with pytest.raises(ValueError, match="working tree alone fills a transfer"):
        carry.plan([(Path("a"), 1)], 0)


def make_wheel(path: Path) -> None:
    info = "tinypackage-1.0.dist-info"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr("tinypackage.py", "ANSWER = 42\n" + "# filling\n" * 200)
        wheel.writestr(
            f"{info}/METADATA", "Metadata-Version: 2.1\nName: tinypackage\nVersion: 1.0\n"
        )
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


def test_what_is_cut_and_packed_arrives_whole(carry, tmp_path: Path, capsys) -> None:
    wheel = tmp_path / "tinypackage-1.0-py3-none-any.whl"
    make_wheel(wheel)
    data = tmp_path / "set"
    (data / "videos").mkdir(parents=True)
    (data / "videos" / "a.mp4").write_bytes(bytes(range(256)) * 9)
    (data / "train_split1.txt").write_text("a.mp4 0\n")
    archive = carry.pack_videos(data, tmp_path)
    sizes = [(path, path.stat().st_size) for path in (wheel, archive)]
    for number, pieces in enumerate(carry.plan(sizes, 3000), 1):
        for piece in pieces:
            carry.write_piece(piece, tmp_path / "transfers" / str(number))
    folders = sorted((tmp_path / "transfers").iterdir())
    assert len(folders) > 2
    carry.unpack(folders, tmp_path / "there")
    assert "ANSWER = 42" in (tmp_path / "there" / "site" / "tinypackage.py").read_text()
    there = tmp_path / "there" / "data" / "set"
    assert (there / "videos" / "a.mp4").read_bytes() == bytes(range(256)) * 9
    assert (there / "train_split1.txt").read_text() == "a.mp4 0\n"

    carry.unpack(folders[:-1], tmp_path / "less")
    assert "is left out: " in capsys.readouterr().out


def test_versions_are_the_tested_ones(carry) -> None:
    pins = {carry.pinned(wheel).split("==")[0]: carry.pinned(wheel) for wheel in carry.WHEELS}
    assert pins["mmaction2"] == "mmaction2==1.2.0" and pins["mmcv-lite"] == "mmcv-lite==2.1.0"
    assert all("==" in pin for pin in pins.values())


def test_it_runs_where_nothing_is_installed() -> None:
    call = [sys.executable, "-I", "-S", str(GPU / "carry.py")]
    done = subprocess.run(call, capture_output=True, text=True, check=True)
    assert "mmengine==" in done.stdout and "not faiss-gpu" in done.stdout


def test_what_the_registry_lacks_is_said(carry, tmp_path: Path, monkeypatch) -> None:
    answer = subprocess.CompletedProcess([], 1, "", "ERROR: No matching distribution found")
    monkeypatch.setattr(carry.subprocess, "run", lambda *args, **kwargs: answer)
    with pytest.raises(RuntimeError, match=r"No wheel of nothing==1\.0:\nERROR: No matching"):
        carry.download("nothing==1.0", tmp_path)
