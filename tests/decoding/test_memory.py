"""Readers give back what they take.

Decoders are known to leak: dmlc/decord issues 157, 208 and 323, PyAV-Org/PyAV issue 1117.
"""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

from slic_mmaction.decoding import UnreadableVideoError, open_reader

from .numbered_videos import write

STATM = Path("/proc/self/statm")
MEGABYTE = 2**20


def resident() -> int:
    gc.collect()
    return int(STATM.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


@pytest.mark.skipif(not STATM.exists(), reason="needs Linux's /proc to see memory")
@pytest.mark.parametrize(
    ("suffix", "settings"),
    [("mp4", dict(options={"g": "8"})), ("avi", dict(codec="mpeg4", max_b_frames=2))],
)
def test_memory_stays_flat(tmp_path: Path, suffix: str, settings: dict) -> None:
    video = write(tmp_path / f"v.{suffix}", num_frames=16, size=(320, 240), **settings)
    broken = tmp_path / f"broken.{suffix}"
    broken.write_bytes(video.read_bytes()[:200])

    def use(times: int) -> None:
        for i in range(times):
            reader = open_reader(str(video))
            assert len(reader.frames([i % 16, 12, 13, 3])) == 4
            reader.close()
            open_reader(str(video)).close()
            with pytest.raises(UnreadableVideoError):
                open_reader(str(broken))

    use(20)
    before = resident()
    use(40)
    # One frame is 0.22 megabytes: a leak of one each time would be 9.
    assert resident() - before < 3 * MEGABYTE
