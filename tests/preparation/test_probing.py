from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from slic_mmaction.preparation.probing import FRAME_SLACK, Probe, decoded_share, fault, probe_video

RAW = Path(__file__).parents[3] / "shared" / "data" / "ucf101_raw"
REASONS = {
    "empty": "is empty",
    "text": "no video in it",
    "half": "breaks off",
    "half_mkv": "breaks off",
    "half_without_index": "no video in it",
    "half_with_index": "decode",
    "sound": "no video in it",
    "one_frame": "too short",
}


def reason(path: Path) -> str | None:
    return fault(probe_video(str(path)), min_frames=2, min_share=0.9)


def test_every_broken_file_is_found_out(broken: dict[str, Path]) -> None:
    assert set(broken) == set(REASONS)
    found = {name: reason(path) for name, path in broken.items()}
    assert {name: text for name, text in found.items() if REASONS[name] not in (text or "")} == {}


@pytest.mark.parametrize("size", [(96, 64), (64, 96), (98, 66)])
def test_sound_files_pass_with_all_their_frames(make, tmp_path: Path, size) -> None:
    paths = [
        make["xvid"](tmp_path / "a b#&é%02d.avi", 40, size),
        make["h264"](tmp_path / "x.mp4", 40, size),
        make["h264"](tmp_path / "x.mkv", 40, size),
        make["h264"](tmp_path / "odd.mp4", 40, (size[0] + 1, size[1] + 1)),
    ]
    for path in paths:
        probe = probe_video(str(path))
        assert (probe.frames, probe.share, probe.error) == (40, 1.0, ""), path
        assert fault(probe, 2, 0.9) is None


@pytest.mark.parametrize("suffix", [".mp4", ".mkv"])
def test_variable_frame_rate_is_no_damage(make, tmp_path: Path, suffix: str) -> None:
    """Where the header estimates the number of frames, it is off by half in this file."""
    times = np.cumsum(np.random.default_rng(0).integers(20, 120, 60)).tolist()
    path = make["h264"](tmp_path / f"x{suffix}", 60, milliseconds=times)
    probe = probe_video(str(path))
    assert probe.frames == 60 and fault(probe, 2, 0.9) is None
    if suffix == ".mkv":
        assert probe.declared_frames > 90


def test_only_what_is_cut_off_counts_against_a_file(make, tmp_path: Path) -> None:
    path = make["xvid"](tmp_path / "x.avi", 100)
    probe = probe_video(str(make["cut_off"](path, 0.7)))
    assert 50 < probe.frames < 75 and probe.declared_frames == 100
    assert probe.share == pytest.approx((probe.frames + FRAME_SLACK) / 100)
    assert fault(probe, 2, 0.5) is None and "frames decode" in (fault(probe, 2, 0.9) or "")


@pytest.mark.parametrize(
    ("frames", "last", "rate", "declared", "share"),
    [
        (100, 3.96, 25.0, 100, 1.0),
        (100, 0.0, 25.0, 100, 1.0),  # an .avi without usable times
        (60, 3.96, 25.0, 100, 1.0),  # a variable rate
        (42, 1.64, 25.0, 100, 0.5),
        (42, 1.64, float("nan"), 100, 0.5),
        (0, 0.0, 25.0, 100, 0.0),
        (12, 0.44, 25.0, 20, 1.0),  # within what decoders disagree by
    ],
)
def test_share(frames: int, last: float, rate: float, declared: int, share: float) -> None:
    assert decoded_share(frames, last, rate, declared) == share


@pytest.mark.skipif(not RAW.is_dir(), reason="needs original files of UCF101")
def test_original_files_of_ucf101_are_whole() -> None:
    """Some of them give no time but that of the first frame."""
    paths = sorted(RAW.rglob("*.avi"))
    assert {probe_video(str(path)).share for path in paths} == {1.0} and len(paths) == 30


def test_what_cannot_be_read_says_nothing_of_the_content(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        probe_video(str(tmp_path / "x.avi"))


@pytest.mark.parametrize(
    ("probe", "expected"),
    [
        (Probe(10, 10, 1.0), None),
        (Probe(0, 10, 0.0), "opens, but no frame decodes"),
        (Probe(50, 100, 0.58), "breaks off: 50 of 100 frames decode"),
        (Probe(4, 4, 1.0), "too short: 4 of the 5 frames asked for"),
        (Probe(error="is empty (0 bytes)"), "is empty (0 bytes)"),
    ],
)
def test_faults(probe: Probe, expected: str | None) -> None:
    assert fault(probe, min_frames=5, min_share=0.9) == expected
