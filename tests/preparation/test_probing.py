from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from slic_mmaction.preparation.journal import Journal
from slic_mmaction.preparation.probing import Probe, Settings, probe_all, probe_video

from ..videos import cut_off
from .conftest import write_video

RAW = Path(__file__).parents[3] / "shared" / "data" / "ucf101_raw"
REASONS = {
    "empty": "is empty",
    "text": "cannot be opened (Invalid data found when processing input)",
    "half": "truncated",
    "half_mkv": "truncated",
    "half_without_index": "cannot be opened",
    "half_with_index": "truncated",
    "sound": "has no video stream",
    "one_frame": "too short",
}


def test_every_broken_file_is_found_out(broken: dict[str, Path]) -> None:
    assert set(broken) == set(REASONS)
    found = {name: probe_video(str(path)).fault(2, 0.9) for name, path in broken.items()}
    assert {name: text for name, text in found.items() if REASONS[name] not in (text or "")} == {}
    assert not any(str(broken[name]) in text for name, text in found.items())


def test_sound_files_pass_with_all_their_frames(tmp_path: Path) -> None:
    """Also of variable rates, where a header's rate times its length is twice their number."""
    times = np.cumsum(np.random.default_rng(0).integers(20, 120, 40)).tolist()
    for path in (
        write_video(tmp_path / "a b#&é%02d.avi", 40),
        write_video(tmp_path / "x.mts", 40, (64, 96)),
        write_video(tmp_path / "odd.mp4", 40, (99, 67)),
        write_video(tmp_path / "variable.mp4", 40, milliseconds=times),
        write_video(tmp_path / "variable.mkv", 40, milliseconds=times),
        write_video(tmp_path / "late.mkv", 40, milliseconds=range(5000, 6600, 40)),
    ):
        assert probe_video(str(path)) == Probe(40, 40), path
    assert probe_video(str(write_video(tmp_path / "black.mp4", grey=0))).flat


def test_only_what_is_cut_off_counts_against_a_file(tmp_path: Path) -> None:
    probe = probe_video(str(cut_off(write_video(tmp_path / "x.avi", 100), 0.7)))
    assert 50 < probe.frames < 75 and probe.promised == 100
    assert probe.fault(2, 0.5) is None
    assert probe.fault(2, 0.9) == f"truncated: only {probe.frames} of 100 frames can be decoded"
    assert Probe(12, 20).fault(2, 0.9) is None  # within what decoders disagree by
    assert Probe(4, 4).fault(5, 0.9) == "too short: 4 of the 5 frames asked for"


@pytest.mark.skipif(not RAW.is_dir(), reason="needs original files of UCF101")
def test_original_files_of_ucf101_are_whole() -> None:
    probes = [probe_video(str(path)) for path in sorted(RAW.rglob("*.avi"))]
    assert len(probes) == 30 and {probe.fault(2, 1.0) for probe in probes} == {None}


def test_what_passes_is_tried_again(tmp_path: Path) -> None:
    """A pipe into which nobody writes hangs whoever reads it; a link may lead nowhere yet."""
    pipe, link, whole = (tmp_path / name for name in ("hangs.avi", "link.avi", "x.avi"))

    def probed(paths: list[Path], **settings: float) -> tuple[list[Probe], int]:
        found, number = probe_all(paths, Journal(tmp_path / "j"), Settings(1, **settings))
        return [found[path] for path in paths], number

    os.mkfifo(pipe)
    link.symlink_to(tmp_path / "unmounted.avi")
    write_video(whole)
    late = Probe(error="took longer than 0.3 s", transient=True)
    assert probed([pipe], timeout=0.3) == ([late], 1)
    lost = Probe(error="cannot be read: No such file or directory", transient=True)
    assert probed([link, whole]) == ([lost, Probe(12, 12)], 1)
    pipe.unlink()
    write_video(pipe)
    whole.rename(tmp_path / "unmounted.avi")
    assert probed([pipe, link]) == ([Probe(12, 12)] * 2, 2)
    with open(tmp_path / "j", "a") as journal:  # an older version's record
        journal.write((tmp_path / "j").read_text().splitlines()[-1].replace("flat", "share") + "\n")
    assert probed([pipe, link])[1] == 1
