from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import numpy as np
import pytest
from mmaction.registry import TRANSFORMS
from mmengine.dataset import Compose

from slic_mmaction.decoding import UnreadableVideoError, video_cache
from slic_mmaction.decoding.video_cache import CachedFrames, VideoCache

SAMPLE = [dict(type="SampleViewFrames", clip_len=8), dict(type="DecodeFrames")]
GIGABYTE = 2**30


def cached(folder: Path, max_bytes: int = GIGABYTE, **options) -> dict:
    return dict(type="CachedVideo", path=str(folder), max_bytes=max_bytes, **options)


def run(pipeline: list[dict] | Compose, path: Path) -> dict:
    np.random.seed(1)
    views = ("anchor", "positive", "anchor")
    pipeline = pipeline if isinstance(pipeline, Compose) else Compose(pipeline)
    return pipeline(dict(filename=str(path), start_index=0, views=views))


def same(one: dict, other: dict) -> bool:
    return (
        one["total_frames"] == other["total_frames"]
        and one["avg_fps"] == other["avg_fps"]
        and len(one["imgs"]) == len(other["imgs"])
        and all(np.array_equal(a, b) for a, b in zip(one["imgs"], other["imgs"]))
    )


def test_pixels_are_those_of_the_uncached_pipeline(video_set: Path, tmp_path: Path) -> None:
    for name in ("train_0.mp4", "train_3.mp4", "train_7.mp4"):
        resize = dict(type="Resize", scale=(-1, 24))
        plain = run([dict(type="OpenVideo"), *SAMPLE, resize], video_set / name)
        for _ in range(2):
            got = run([cached(tmp_path, short_side=24), *SAMPLE], video_set / name)
            assert same(got, plain) and got["img_shape"] == (24, 30)


def test_a_second_epoch_does_not_decode(video_set: Path, tmp_path: Path, monkeypatch) -> None:
    first = run([cached(tmp_path), *SAMPLE], video_set / "train_5.mp4")

    def no_decoder(*args: object) -> None:
        raise AssertionError("the video is opened again")

    monkeypatch.setattr("slic_mmaction.transforms.open_video.open_reader", no_decoder)
    assert same(run([cached(tmp_path), *SAMPLE], video_set / "train_5.mp4"), first)
    with pytest.raises(AssertionError):  # other settings, other pixels
        run([cached(tmp_path, short_side=16), *SAMPLE], video_set / "train_5.mp4")


def test_a_changed_file_is_decoded_again(video_set: Path, tmp_path: Path) -> None:
    path = tmp_path / "v.mp4"
    path.write_bytes((video_set / "train_5.mp4").read_bytes())
    run([cached(tmp_path / "cache"), *SAMPLE], path)
    path.write_bytes((video_set / "train_6.mp4").read_bytes())
    os.utime(path, ns=(1, 1))
    got = run([cached(tmp_path / "cache"), *SAMPLE], path)
    assert same(got, run([cached(tmp_path / "other"), *SAMPLE], video_set / "train_6.mp4"))


def damaged(file: bytes, other: bytes) -> list[bytes]:
    """What may become of a file of the cache: a bit flips in its frames per second, shape, check
    sums or last pixel; the rest is zero; it is cut off; it is another's, or an older version's."""
    bits = []
    for position in (48, 64, 90, len(file) - 1):
        bits.append(file[:position] + bytes([file[position] ^ 4]) + file[position + 1 :])
    cut = [file[:1000] + bytes(len(file) - 1000), file[:-1], file[:50], b""]
    return [*bits, *cut, other, np.array([25.0, 2, 4, 4, 3]).tobytes() + bytes(96)]


def test_what_is_damaged_is_decoded_anew(
    video_set: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(video_cache, "print_log", lambda line, **_: said.append(line))
    video = video_set / "train_3.mp4"
    run([cached(tmp_path / "other"), *SAMPLE], video_set / "train_4.mp4")
    (other,) = (tmp_path / "other").glob("*.frames")
    pipeline = Compose([cached(tmp_path / "cache"), *SAMPLE])
    plain = run(pipeline, video)
    (file,) = (tmp_path / "cache").glob("*.frames")
    sound = file.read_bytes()
    for number, content in enumerate(damaged(sound, other.read_bytes())):
        file.write_bytes(content)
        # The cache's size, too, may be damaged.
        file.with_name("bytes").write_text("" if number % 2 else str(len(content)))
        assert same(run(pipeline, video), plain), number
        assert same(run(pipeline, video), plain) and file.read_bytes() == sound, number
        assert file.with_name("bytes").read_text() == str(len(sound)), number
    assert [line.split()[1] for line in said] == ["1", "10"]  # how many there were


def test_it_stays_within_its_bound(video_set: Path, tmp_path: Path) -> None:
    bound = 200_000
    pipelines = [Compose([cached(tmp_path, bound, short_side=32), *SAMPLE]) for _ in range(2)]
    for i in range(8):
        plain = run([dict(type="OpenVideo"), *SAMPLE], video_set / f"train_{i}.mp4")
        for pipeline in pipelines * 2:  # two runs, each twice
            assert same(run(pipeline, video_set / f"train_{i}.mp4"), plain)
    files = list(tmp_path.glob("*.frames"))
    used = sum(file.stat().st_size for file in files)
    assert 2 <= len(files) < 8 and bound / 2 < used <= bound


def test_every_run_says_once_that_the_cache_is_full(
    video_set: Path, tmp_path: Path, monkeypatch
) -> None:
    said = tmp_path / "said"

    def say(line: str, **_: object) -> None:
        with open(said, "a") as file:
            file.write(f"{line}\n")

    monkeypatch.setattr("slic_mmaction.transforms.cached_video.print_log", say)
    for runs in (1, 2):
        pipeline = Compose([cached(tmp_path / "cache", 1), *SAMPLE])
        for i in (0, 1, 0):  # each in a worker of its own
            worker = multiprocessing.get_context("fork").Process(
                target=run, args=(pipeline, video_set / f"train_{i}.mp4")
            )
            worker.start()
            worker.join()
            assert worker.exitcode == 0
        assert said.read_text().count("is full (1 bytes)") == runs


def _put_all(folder: str, bound: int, seed: int) -> None:
    cache = VideoCache(folder, bound)
    for i in np.random.default_rng(seed).permutation(40).tolist():
        frames = np.full((4, 10, 10, 3), i, np.uint8)
        cache.put(f"{i:03}", CachedFrames(frames, 25.0))
        got = cache.get(f"{i:03}")
        assert got is None or np.array_equal(got.frames, frames)


def test_processes_share_a_folder(tmp_path: Path) -> None:
    size = 4 * 10 * 10 * 3 + 88 + 4 * 8
    context = multiprocessing.get_context("fork")
    workers = [
        context.Process(target=_put_all, args=(str(tmp_path), 30 * size, seed)) for seed in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert len(list(tmp_path.glob("*.frames"))) == 30
    assert (tmp_path / "bytes").read_text() == str(30 * size)
    assert not list(tmp_path.glob("*.tmp"))


def test_what_a_killed_process_left_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "next.tmp").write_bytes(b"half a vid")
    cache = VideoCache(tmp_path, GIGABYTE)
    frames = np.arange(48, dtype=np.uint8).reshape(1, 4, 4, 3)
    assert cache.get("a") is None and cache.put("a", CachedFrames(frames, 12.5))
    got = cache.get("a")
    assert np.array_equal(got.frames, frames) and got.avg_fps == 12.5
    assert not got.frames.flags.writeable


def test_bad_settings_and_videos_are_named(video_set: Path, tmp_path: Path) -> None:
    for options, message in (
        (dict(max_bytes=0), "max_bytes of at least 1"),
        (dict(short_side=0), "short_side of at least 1"),
        (dict(decoder="rawframes"), "raw frames"),
    ):
        with pytest.raises(ValueError, match=message):
            TRANSFORMS.build(dict(cached(tmp_path), **options))
    with pytest.raises(UnreadableVideoError, match=r"nowhere\.mp4 does not exist"):
        run([cached(tmp_path), *SAMPLE], tmp_path / "nowhere.mp4")
    (tmp_path / "empty.mp4").write_bytes(b"")
    with pytest.raises(UnreadableVideoError, match=r"empty\.mp4"):
        run([cached(tmp_path), *SAMPLE], tmp_path / "empty.mp4")
    assert not list(tmp_path.glob("*.frames"))
    with pytest.raises(ValueError, match="video files, but the dataset lists raw frames"):
        Compose([cached(tmp_path)])(dict(frame_dir="x"))
