"""Which frame is shown when."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from slic_mmaction.decoding import open_reader

from .numbered_videos import numbers_of, write

# In 1/60 s: 5 s at one frame per second, and then 5 s at 60.
SLOW_THEN_FAST = [*range(0, 300, 60), *range(300, 600)]
GIF = dict(codec="gif", pix_fmt="rgb8")


def write_variable(path: Path, **settings) -> Path:
    """Ten seconds: frames 0-4 for a second each, and then 5-304 in 5 s."""
    settings.update(stamps=SLOW_THEN_FAST, time_base=Fraction(1, 60), framerate=60)
    return write(path, len(SLOW_THEN_FAST), **settings)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "gif"])
def test_frames_of_a_variable_rate_are_shown_at_their_times(tmp_path: Path, suffix: str) -> None:
    path = write_variable(tmp_path / f"a.{suffix}", **(GIF if suffix == "gif" else {}))
    reader = open_reader(str(path))
    rate, shown = reader.timeline()
    assert rate >= 25 and len(shown) / rate == pytest.approx(10, abs=0.05)
    times = (np.arange(len(shown)) + 0.5) / rate
    expected = np.where(times < 5, times, 5 + (times - 5) * 60).astype(int)
    assert np.abs(shown - expected).max() <= 1
    assert numbers_of(reader.frames(shown[::30])) == shown[::30].tolist()


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm", "avi", "flv"])
@pytest.mark.parametrize("fps", [Fraction(30000, 1001), Fraction(24000, 1001), 60, 1])
def test_a_constant_rate_is_the_mean_rate(tmp_path: Path, suffix: str, fps: Fraction) -> None:
    """Its frames are exactly those of frame number / mean rate."""
    codec = {"webm": "libvpx-vp9", "avi": "mpeg4", "flv": "flv"}
    settings = dict(codec=codec.get(suffix, "libx264"), time_base=1 / Fraction(fps), framerate=fps)
    reader = open_reader(str(write(tmp_path / f"a.{suffix}", 90, **settings)))
    rate, shown = reader.timeline()
    assert reader.avg_fps == pytest.approx(float(fps), abs=0.02)
    assert rate == reader.avg_fps and shown.tolist() == list(range(90))


def test_a_constant_rate_that_the_header_lacks(tmp_path: Path) -> None:
    """Delays of GIF are hundredths of seconds, of which FFmpeg guesses 33.3 frames per second."""
    path = write(tmp_path / "a.gif", 90, time_base=Fraction(1, 30), **GIF)
    rate, shown = open_reader(str(path)).timeline()
    assert rate == pytest.approx(30, abs=0.1) and shown.tolist() == list(range(90))


def test_the_last_frame_lasts_as_long_as_the_file_says(tmp_path: Path) -> None:
    """Of frames 0-9 at 10 per second, the last is shown for 5 s."""
    path = write(tmp_path / "a.gif", 10, time_base=Fraction(1, 10), **GIF)
    content = path.read_bytes()
    delay = content.rindex(b"\x21\xf9\x04") + 4  # graphic control extension
    path.write_bytes(content[:delay] + (500).to_bytes(2, "little") + content[delay + 2 :])
    rate, shown = open_reader(str(path)).timeline()
    assert len(shown) / rate == pytest.approx(5.9, abs=0.05)
    assert np.mean(shown == 9) == pytest.approx(5 / 5.9, abs=0.01)


def test_a_pause_of_days_is_damage(tmp_path: Path) -> None:
    stamps = [*range(20), *range(10**7, 10**7 + 20)]
    reader = open_reader(str(write(tmp_path / "a.mkv", 40, stamps=stamps)))
    rate, shown = reader.timeline()
    assert shown.tolist() == list(range(40)) and rate == reader.avg_fps


def test_one_picture(tmp_path: Path) -> None:
    rate, shown = open_reader(str(write(tmp_path / "a.mp4", 1))).timeline()
    assert rate == 25 and shown.tolist() == [0]
