"""Which windows and clips a video has, and that they are read once and right."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from slic_mmaction.collection.windows import CLIPS, Sampling, WindowClips, place_windows
from slic_mmaction.decoding import open_reader

from ..decoding.numbered_videos import numbers_of, write
from ..decoding.test_timeline import write_variable
from ..videos import cut_off

TRANSFORMS = [dict(type="FormatShape", input_format="NCTHW"), dict(type="PackActionInputs")]


@settings(deadline=None)
@given(duration=st.floats(0.01, 500), window=st.floats(0.1, 20), part=st.floats(0.05, 1))
def test_windows_cover_a_video_and_nothing_else(
    duration: float, window: float, part: float
) -> None:
    stride = part * window
    windows = place_windows(duration, window, stride)
    starts, ends = np.array(windows).T
    assert starts[0] == 0 and ends[-1] == pytest.approx(duration, abs=2e-3)
    assert (np.diff(starts) > 0).all() and (np.diff(starts) <= stride * (1 + 1e-6)).all()
    if len(windows) > 1:
        assert ends - starts == pytest.approx(window)


@settings(deadline=None)
@given(
    first=st.floats(0, 300),
    length=st.floats(1, 300),
    more=st.integers(0, 100),
    frames=st.integers(1, 20),
    interval=st.none() | st.integers(1, 4),
)
def test_clips_lie_in_their_window(
    first: float, length: float, more: int, frames: int, interval: int | None
) -> None:
    num_frames = int(first + length) + 1 + more
    clips = Sampling(frames, interval).clips(first, first + length, num_frames)
    assert 1 <= len(clips) <= (1 if interval is None else CLIPS)
    span = 1 if interval is None else frames * interval
    for clip in clips:
        assert len(clip) == frames and clip.min() >= 0 and clip.max() < num_frames
        if span <= length:
            assert clip.min() >= first - 1 and clip.max() <= first + length
        if interval and span <= num_frames:
            assert (np.diff(clip) == interval).all()


def read_all(clips: WindowClips) -> dict[str, list]:
    """By path: what windows show, as the numbers of the frames of each of their clips."""
    found: dict[str, list] = {}
    for chunk in clips:
        own = found.setdefault(chunk.path, [])
        own.extend(numbers_of(clip[0].permute(1, 2, 3, 0).numpy()) for clip in chunk.clips)
        if chunk.error:
            found[chunk.path] = [chunk.error]
        elif chunk.windows is not None:
            found[chunk.path] = [
                (s, e, [own[i] for i in numbers]) for s, e, numbers in chunk.windows
            ]
    return found


def test_clips_show_the_frames_of_their_windows(tmp_path: Path) -> None:
    """Through MP4, which jumps to key frames, and AVI with B-frames, whose clock is a guess."""
    write(tmp_path / "a.mp4", 200, options={"g": "30"})
    write(tmp_path / "b.avi", 60, codec="mpeg4", max_b_frames=2)
    (tmp_path / "c.mp4").write_bytes(b"no video")
    sampling = Sampling(4, 2)
    clips = WindowClips(tmp_path, ["a.mp4", "b.avi", "c.mp4"], sampling, TRANSFORMS, 4.0, 2.0)
    found = read_all(clips)
    assert "cannot be opened" in found["c.mp4"][0]
    for name, count in (("a.mp4", 200), ("b.avi", 60)):
        windows = place_windows(count / 25, 4.0, 2.0)
        assert [window[:2] for window in found[name]] == windows
        for start, end, seen in found[name]:
            expected = np.array(sampling.clips(start * 25, end * 25, count))
            assert np.array_equal(seen, expected)
    assert len(found["a.mp4"]) == 3


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
@pytest.mark.parametrize("fps", [Fraction(30000, 1001), Fraction(10)])
def test_clips_of_a_constant_rate_are_by_frame_number(
    tmp_path: Path, suffix: str, fps: Fraction
) -> None:
    """Exactly, so that an index stays valid."""
    codec = "mpeg4" if suffix == "avi" else "libx264"
    path = write(tmp_path / f"a.{suffix}", 223, codec=codec, time_base=1 / fps, framerate=fps)
    rate, sampling = open_reader(str(path)).avg_fps, Sampling(4, 2)
    clips = WindowClips(tmp_path, [path.name], sampling, TRANSFORMS, 1.3, 0.7)
    (windows,) = read_all(clips).values()
    assert [window[:2] for window in windows] == place_windows(223 / rate, 1.3, 0.7)
    for start, end, seen in windows:
        assert np.array_equal(seen, sampling.clips(start * rate, end * rate, 223))


def test_windows_of_a_variable_rate_are_true_times(tmp_path: Path) -> None:
    write_variable(tmp_path / "a.mp4")
    clips = WindowClips(tmp_path, ["a.mp4"], Sampling(4, 2), TRANSFORMS, 4.0, 2.0)
    (windows,) = read_all(clips).values()
    assert [window[:2] for window in windows] == [(0, 4), (2, 6), (4, 8), (6, 10)]
    times = [*range(5), *(5 + np.arange(300) / 60)]
    for start, end, seen in windows:
        # A frame that is shown at the start may have begun before it.
        first = np.searchsorted(times, start, side="right") - 1
        assert np.min(seen) >= first and times[np.max(seen)] < end
    (part,) = WindowClips(tmp_path, ["a.mp4"], Sampling(2, None), TRANSFORMS_2D, span=(1.0, 3.0))
    assert numbers_of(part.clips[0].permute(0, 2, 3, 1).numpy()) == [1, 2]


def test_overlapping_windows_share_clips_and_long_videos_come_in_parts(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", 250)
    clips = WindowClips(tmp_path, ["a.mp4"], Sampling(2, 1), TRANSFORMS, 0.4, 0.2)
    chunks = list(clips)
    assert len(chunks) > 1 and all(chunk.windows is None for chunk in chunks[:-1])
    windows = chunks[-1].windows or []
    uses = [i for *_, numbers in windows for i in numbers]
    assert len(set(uses)) == sum(len(chunk.clips) for chunk in chunks) < len(uses)


def test_a_file_that_breaks_off_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = cut_off(write(tmp_path / "a.mkv", 100), 0.6)
    (windows,) = read_all(WindowClips(tmp_path, ["a.mkv"], Sampling(4, 1), TRANSFORMS)).values()
    length = open_reader(str(path)).num_frames
    assert 20 < length < 100 and windows[0][:2] == (0, pytest.approx(length / 25))
    assert all(np.ptp(clip) == 3 and max(clip) < length for clip in windows[0][2])


def test_a_part_of_a_video(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", 100)
    part = WindowClips(tmp_path, ["a.mp4"], Sampling(4, None), TRANSFORMS_2D, span=(2.0, 3.0))
    (chunk,) = part
    assert numbers_of(chunk.clips[0].permute(0, 2, 3, 1).numpy()) == [53, 59, 65, 71]
    with pytest.raises(ValueError, match=r"a.mp4 lasts 4.00 s and has no frames from 5 to 6 s"):
        list(WindowClips(tmp_path, ["a.mp4"], Sampling(4, 1), TRANSFORMS, span=(5.0, 6.0)))


TRANSFORMS_2D = [dict(type="FormatShape", input_format="NCHW"), dict(type="PackActionInputs")]
