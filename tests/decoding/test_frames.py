"""Every decoder returns the pictures asked for, judged by the numbers they show."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from slic_mmaction.decoding import VideoReader, choose_decoder, open_reader

av = pytest.importorskip("av", minversion="17")
decord = pytest.importorskip("decord")

N = 60
IRREGULAR = np.cumsum(np.random.default_rng(0).integers(1, 7, N)).tolist()


def x264(**params: object) -> dict[str, str]:
    text = ":".join(f"{key.replace('_', '-')}={value}" for key, value in params.items())
    return {"x264-params": text}


# Suffix, and how to write the file.
KINDS: dict[str, tuple[str, Callable[[SimpleNamespace, Path], Path]]] = {
    "h264": ("mp4", lambda make, path: make.video(path, options=x264(keyint=15, bframes=3))),
    "h264-one-key-frame": (
        "mp4",
        lambda make, path: make.video(
            path, options=x264(keyint=250, bframes=8, b_adapt=0, b_pyramid="normal")
        ),
    ),
    "h264-open-gop": (
        "mp4",
        lambda make, path: make.video(
            path, options=x264(open_gop=1, keyint=12, min_keyint=12, scenecut=0, b_adapt=0)
        ),
    ),
    "h264-intra-refresh": (
        "mp4",
        lambda make, path: make.video(
            path, options=x264(intra_refresh=1, keyint=12, scenecut=0, bframes=0)
        ),
    ),
    "h264-variable-rate": (
        "mp4",
        lambda make, path: make.video(path, stamps=IRREGULAR, options=x264(keyint=15)),
    ),
    "h264-variable-rate-mkv": (
        "mkv",
        lambda make, path: make.video(path, stamps=IRREGULAR, options=x264(keyint=15)),
    ),
    "h264-ts": ("ts", lambda make, path: make.video(path, options=x264(keyint=15))),
    "h264-avi": ("avi", lambda make, path: make.video(path, options=x264(keyint=15))),
    "h264-10-bit": ("mp4", lambda make, path: make.video(path, pix_fmt="yuv420p10le")),
    "h264-grey": ("mp4", lambda make, path: make.video(path, pix_fmt="gray")),
    "h264-portrait": ("mp4", lambda make, path: make.video(path, size=(66, 96))),
    "hevc-open-gop": (
        "mp4",
        lambda make, path: make.video(
            path, codec="libx265", options={"x265-params": "keyint=12:log-level=none"}
        ),
    ),
    "vp9": (
        "webm",
        lambda make, path: make.video(
            path, codec="libvpx-vp9", options={"g": "15", "deadline": "realtime", "cpu-used": "8"}
        ),
    ),
    "mpeg4-avi": ("avi", lambda make, path: make.video(path, codec="mpeg4", gop_size=12)),
    "mpeg4-avi-b-frames": (
        "avi",
        lambda make, path: make.video(
            path, codec="mpeg4", gop_size=12, max_b_frames=2, options={"b_strategy": "0"}
        ),
    ),
    "mpeg4-odd-size": ("mp4", lambda make, path: make.video(path, codec="mpeg4", size=(65, 63))),
    "mjpeg": ("avi", lambda make, path: make.video(path, codec="mjpeg", pix_fmt="yuvj420p")),
    "ffv1-rgb": ("mkv", lambda make, path: make.video(path, codec="ffv1", pix_fmt="bgr0")),
}
# What decord 0.6.0 cannot do, even decoding from the beginning: it loses the first frames.
NOT_BY_DECORD = {"h264-ts"}
# Where FFmpeg only guesses at timestamps, PyAV must count frames from the beginning.
COUNTED = {"h264-ts", "h264-avi", "mpeg4-avi-b-frames"}
CASES = [
    (kind, decoder)
    for kind in KINDS
    for decoder in ("pyav", "opencv", "decord")
    if not (decoder == "decord" and kind in NOT_BY_DECORD)
]


@pytest.fixture(scope="module")
def video(make: SimpleNamespace, tmp_path_factory) -> Callable[[str], Path]:
    folder, written = tmp_path_factory.mktemp("kinds"), {}

    def get(kind: str) -> Path:
        if kind not in written:
            suffix, write = KINDS[kind]
            written[kind] = write(make, folder / f"{kind}.{suffix}")
        return written[kind]

    return get


def opened(path: Path, decoder: str) -> VideoReader:
    return open_reader(str(path), decoder)


@pytest.mark.parametrize(("kind", "decoder"), CASES)
def test_frames_show_the_numbers_asked_for(make, video, kind: str, decoder: str) -> None:
    path = video(kind)
    whole = opened(path, decoder)
    frames = whole.frames(range(N))
    assert make.numbers(frames) == list(range(N)) and whole.num_frames == N
    height, width = (48, 80)
    height, width = {"h264-portrait": (96, 66), "mpeg4-odd-size": (63, 65)}.get(
        kind, (height, width)
    )
    assert {frame.shape for frame in frames} == {(height, width, 3)}
    assert all(frame.dtype == np.uint8 for frame in frames)
    # Yellow above, grey below: neither upside down nor blue for red.
    if kind != "h264-grey":
        red, _, blue = frames[0][: height // 5].mean((0, 1))
        assert red > blue + 15
    rng = np.random.default_rng(0)
    for clip in range(6):
        start = int(rng.integers(0, N - 8))
        asked = [*range(start, start + 8, 1 + clip % 2), 0, 1, 2, 0, start, *rng.integers(0, N, 2)]
        reader = opened(path, decoder)
        for indices in (asked, asked[::-1], [N - 1]):  # one reader may be asked again
            answer = reader.frames(indices)
            assert make.numbers(answer) == list(indices)
            assert all(np.array_equal(a, frames[i]) for a, i in zip(answer, indices))
        reader.close()


@pytest.mark.parametrize("kind", KINDS)
def test_pyav_seeks_where_timestamps_are_facts(video, kind: str) -> None:
    assert opened(video(kind), "pyav")._index.timed == (kind not in COUNTED)


def test_b_frames_packed_into_one_packet(make, tmp_path: Path) -> None:
    path = make.packed(tmp_path / "packed.avi", num_frames=31)
    for decoder in ("pyav", "opencv", "decord"):
        assert make.numbers(opened(path, decoder).frames(range(31))) == list(range(31))
        assert make.numbers(opened(path, decoder).frames([20, 3, 21])) == [20, 3, 21]


def test_b_frames_that_begin_late(make, tmp_path: Path) -> None:
    """Nothing in the file's beginning tells that FFmpeg's timestamps will be wrong."""
    plain = make.video(tmp_path / "a.avi", num_frames=300, codec="mpeg4", gop_size=10)
    options = {"b_strategy": "0"}
    settings = dict(codec="mpeg4", gop_size=10, max_b_frames=2, options=options)
    with_b_frames = make.video(tmp_path / "b.avi", num_frames=20, **settings)
    path = make.join([plain, with_b_frames], tmp_path / "late.avi")
    # At the change of delay a decoder hands out one picture twice.
    truth = [*range(300), 299, *range(20)]
    reader = opened(path, "pyav")
    assert reader._index.timed
    for indices in ([3], [301, 302, 303], [4, 314, 315, 316], [12]):
        assert make.numbers(reader.frames(indices)) == [truth[i] for i in indices]
    assert not reader._index.timed
    assert make.numbers(opened(path, "opencv").frames(range(320))) == truth[:320]


@pytest.mark.parametrize("decoder", ["pyav", "opencv"])
def test_frames_cut_away_by_an_edit_list_do_not_count(make, tmp_path: Path, decoder) -> None:
    """As left behind by cutting without encoding again: the first pictures are not shown."""
    path = make.video(tmp_path / "cut.mp4", stamps=list(range(-7, N - 7)), options=x264(keyint=15))
    reader = opened(path, decoder)
    assert make.numbers(reader.frames([0, 1, 30, 52])) == [7, 8, 37, 59]
    if decoder == "pyav":
        assert reader.num_frames == reader.promised_frames == N - 7


@pytest.mark.parametrize("decoder", ["pyav", "opencv"])
@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_rotated_videos_stand_upright(make, tmp_path: Path, decoder: str, degrees: int) -> None:
    path = make.video(tmp_path / "phone.mp4", num_frames=5)
    upright = opened(path, decoder).frames([3])[0]
    turned = opened(make.rotate(path, degrees), decoder).frames([3])[0]
    # The matrix says by how much to turn clockwise; np.rot90 turns the other way.
    assert np.array_equal(turned, np.rot90(upright, -degrees // 90))
    assert turned.flags.c_contiguous


@pytest.mark.parametrize("decoder", ["pyav", "opencv", "decord"])
def test_one_frame(make, tmp_path: Path, decoder: str) -> None:
    reader = opened(make.video(tmp_path / "one.mp4", num_frames=1), decoder)
    assert reader.num_frames == 1 and make.numbers(reader.frames([0, 0])) == [0, 0]


def test_only_what_is_needed_is_decoded(make, tmp_path: Path, monkeypatch) -> None:
    path = make.video(tmp_path / "v.mp4", num_frames=200, options=x264(keyint=20, scenecut=0))
    reader = opened(path, "pyav")
    packets, pictures = [], []
    decode, picture = reader._decode, reader._picture
    monkeypatch.setattr(reader, "_decode", lambda p: packets.append(p) or decode(p))
    monkeypatch.setattr(reader, "_picture", lambda f: pictures.append(f) or picture(f))
    clips = [*range(8), *range(4, 12), *range(8), *range(165, 173)]
    frames = reader.frames(clips)
    assert make.numbers(frames) == clips
    assert len(pictures) == 12 + 8  # each picture once
    assert sum(packet is not None for packet in packets) < 12 + 8 + 20  # no walk from 12 to 160
    assert frames[0] is frames[16] and not frames[0].flags.writeable


def test_close_key_frames_are_not_jumped_to(make, tmp_path: Path) -> None:
    path = make.video(tmp_path / "v.mp4", options=x264(keyint=4, min_keyint=4, scenecut=0))
    index = opened(path, "pyav")._index
    assert len(index.keys) == N // 4
    assert len(index.runs(range(2, 30))) == 1
    assert len(index.runs([2, 3, 50])) == 2


@pytest.mark.parametrize("decoder", ["pyav", "decord"])
def test_videos_from_memory(make, tmp_path: Path, decoder: str) -> None:
    """As a storage backend delivers them; MMEngine's local one does with a prefix of its own."""
    from mmengine.fileio import LocalBackend, register_backend

    class Remote(LocalBackend):
        pass

    register_backend("remote", Remote, force=True, prefixes="remote")
    path = make.video(tmp_path / "v.mp4")
    reader = open_reader(str(path), decoder, backend_args=dict(backend="remote"))
    assert make.numbers(reader.frames([40, 2])) == [40, 2]


def test_pictures_are_the_same_for_all_decoders_and_threads(make, tmp_path: Path) -> None:
    path = make.video(tmp_path / "v.mp4", size=(96, 64), options=x264(keyint=15))
    reference = opened(path, "pyav").frames(range(N))
    for reader in (
        opened(path, "opencv"),
        opened(path, "decord"),
        open_reader(str(path), "pyav", num_threads=2),
        open_reader(str(path), "opencv", num_threads=2),
    ):
        frames = reader.frames(range(N))
        assert max(int(cv2.absdiff(a, b).max()) for a, b in zip(frames, reference)) <= 2


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")
@pytest.mark.parametrize("decoder", ["pyav", "opencv"])
def test_one_thread_means_none_beside_the_worker(make, tmp_path: Path, request, decoder) -> None:
    path = make.video(tmp_path / "v.mp4", size=(320, 240))
    request.addfinalizer(partial(cv2.setNumThreads, cv2.getNumThreads()))
    cv2.setNumThreads(0)  # as MMEngine's env_cfg does

    def threads_while_open(num_threads: int) -> int:
        before = len(list(Path("/proc/self/task").iterdir()))
        reader = open_reader(str(path), decoder, num_threads)
        reader.frames(range(20))
        return len(list(Path("/proc/self/task").iterdir())) - before

    assert threads_while_open(1) == 0
    assert threads_while_open(3) > 0


SHARED = Path("/work/shared/data")


@pytest.mark.skipif(not SHARED.is_dir(), reason="needs the real videos in /work/shared/data")
@pytest.mark.parametrize("decoder", ["pyav", "opencv", "decord"])
@pytest.mark.parametrize("pattern", ["ucf101_raw/**/*_c03.avi", "ucf101_6/videos/Punch/*_c01.mp4"])
def test_real_videos_equal_their_sequential_decoding(decoder: str, pattern: str) -> None:
    choose_decoder(decoder)
    for path in sorted(SHARED.glob(pattern))[:5]:
        with av.open(str(path)) as container:
            truth = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
        rng = np.random.default_rng(0)
        start = int(rng.integers(16, len(truth) - 16))
        indices = [*range(16), *range(start, start + 16), *rng.integers(0, len(truth), 3)]
        for index, frame in zip(indices, opened(path, decoder).frames(indices)):
            assert cv2.absdiff(frame, truth[index]).max() <= 2
