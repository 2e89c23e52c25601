"""Whole videos, made smaller; more on the folder that keeps them in the tests of CachedVideo."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import mmcv
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slic_mmaction.decoding import open_reader, video_cache
from slic_mmaction.decoding.video_cache import (
    ArrayReader,
    CachedFrames,
    ShrunkReader,
    VideoCache,
    check_sum,
)

from .numbered_videos import write


def test_a_whole_video_is_its_frames_resized(tmp_path: Path) -> None:
    path = str(write(tmp_path / "v.mp4", num_frames=20))
    reader = ShrunkReader(open_reader(path), 24)
    whole = reader.read_all()
    frames = open_reader(path).frames(range(20))
    assert whole.shape == (20, 24, 40, 3) and reader.num_frames == 20
    for number, frame in enumerate(frames):
        assert np.array_equal(whole[number], mmcv.imresize(frame, (40, 24)))
    again = ShrunkReader(open_reader(path), 24).frames([3, 19, 3])
    kept = ArrayReader(path, CachedFrames(whole, 25.0)).frames([3, 19, 3])
    assert all(np.array_equal(a, b) for a, b in zip(again, kept, strict=True))


@given(st.binary(min_size=1, max_size=40), st.data())
def test_a_check_sum_shows_any_change(content: bytes, data: st.DataObject) -> None:
    position = data.draw(st.integers(0, len(content) - 1))
    changed = np.frombuffer(content, np.uint8).copy()
    changed[position] ^= data.draw(st.integers(1, 255))
    assert check_sum(changed) != check_sum(np.frombuffer(content, np.uint8))
    words = np.frombuffer(content, np.uint8)[: len(content) // 8 * 8].reshape(-1, 8)
    if len(words) and (words[::-1] != words).any():
        assert check_sum(words[::-1].copy()) != check_sum(words)


def test_a_full_disk_is_a_full_cache(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    cache = VideoCache(tmp_path / "cache", max_bytes=1 << 30)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, limits[1]))
    try:
        assert not cache.put("large", CachedFrames(np.zeros((9, 40, 50, 3), np.uint8), 25.0))
        assert cache.put("small", CachedFrames(np.zeros((1, 40, 50, 3), np.uint8), 25.0))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert cache.get("large") is None and cache.get("small").frames.shape == (1, 40, 50, 3)
    assert not any(name.endswith(".tmp") for name in os.listdir(cache.folder))


@pytest.mark.parametrize(
    ("name", "code"),
    [("open", errno.ENOSPC), ("FileLock", errno.EACCES), ("FileLock", errno.EROFS)],
)
def test_a_folder_that_cannot_be_written_is_a_full_cache(
    tmp_path: Path, monkeypatch, name: str, code: int
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    cache = VideoCache(tmp_path / "cache", max_bytes=1 << 30)
    monkeypatch.setattr(video_cache, name, refuse, raising=False)
    assert not cache.put("one", CachedFrames(np.zeros((1, 40, 50, 3), np.uint8), 25.0))
    if name == "FileLock":
        cache.drop("one")  # which is damaged
