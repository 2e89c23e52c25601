"""Every decoder returns the pictures asked for, judged by the numbers they show."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from slic_mmaction.decoding import UnreadableVideoError, open_reader

from .numbered_videos import join, numbers_of, write, write_fields, write_packed

decord = pytest.importorskip("decord")

N = 60
DECODERS = ("pyav", "decord")
IRREGULAR = np.cumsum(np.random.default_rng(0).integers(1, 7, N)).tolist()
LATE = list(range(125, 125 + N))
INTERLACED = {"flags": "+ilme+ildct"}


def x264(**params: object) -> dict:
    text = ":".join(f"{key.replace('_', '-')}={value}" for key, value in params.items())
    return dict(options={"x264-params": text})


def webm(name: str) -> dict:
    return dict(codec=name, options={"g": "15", "deadline": "realtime", "cpu-used": "8"})


# Suffix, and how to write the file.
KINDS: dict[str, tuple[str, dict]] = {
    "h264": ("mp4", x264(keyint=15, bframes=3)),
    "h264-one-key-frame": ("mp4", x264(keyint=250, bframes=8, b_adapt=0, b_pyramid="normal")),
    "h264-open-gop": ("mp4", x264(open_gop=1, keyint=12, min_keyint=12, scenecut=0, b_adapt=0)),
    "h264-intra-refresh": ("mp4", x264(intra_refresh=1, keyint=12, scenecut=0, bframes=0)),
    "h264-variable-rate": ("mp4", dict(stamps=IRREGULAR, **x264(keyint=15))),
    "h264-ts": ("ts", x264(keyint=15)),
    "h264-avi": ("avi", x264(keyint=15)),
    "h264-10-bit": ("mp4", dict(pix_fmt="yuv420p10le")),
    "h264-grey": ("mp4", dict(pix_fmt="gray")),
    # A camcorder's two fields in one picture.
    "h264-interlaced": ("mp4", dict(options={"g": "15", **INTERLACED})),
    "mpeg2-interlaced": ("ts", dict(codec="mpeg2video", options=INTERLACED)),
    # Parts of longer recordings keep their clock; a part may also begin before 0.
    "late-start-mkv": ("mkv", dict(stamps=LATE, **x264(keyint=15))),
    "late-start-avi": ("avi", dict(codec="mpeg4", gop_size=12, stamps=LATE)),
    "late-start-ts": ("ts", dict(codec="mpeg4", gop_size=12, stamps=LATE)),
    "hevc-open-gop": (
        "mp4",
        dict(codec="libx265", options={"x265-params": "keyint=12:log-level=none"}),
    ),
    "vp9": ("webm", webm("libvpx-vp9")),
    "av1": ("mp4", dict(codec="libsvtav1", size=(96, 64), options={"preset": "12", "g": "15"})),
    "mpeg4-avi": ("avi", dict(codec="mpeg4", gop_size=12)),
    "mpeg4-avi-b-frames": (
        "avi",
        dict(codec="mpeg4", gop_size=12, max_b_frames=2, options={"b_strategy": "0"}),
    ),
    "mpeg4-odd-size": ("mp4", dict(codec="mpeg4", size=(65, 63))),
    "mpeg4-narrow": ("mp4", dict(codec="mpeg4", size=(36, 48))),
    "mjpeg": ("avi", dict(codec="mjpeg", pix_fmt="yuvj420p")),
    "ffv1-rgb": ("mkv", dict(codec="ffv1", pix_fmt="bgr0")),
}
# What decord 0.6.0 cannot do: of a transport stream it loses the first frames.
NOT_BY_DECORD = {"h264-ts", "mpeg2-interlaced", "late-start-ts"}
if decord.__version__.startswith("0."):  # decord2 can
    NOT_BY_DECORD |= {"av1"}
# Where FFmpeg only guesses at timestamps, PyAV must count frames from the beginning.
COUNTED = {"h264-ts", "h264-avi", "mpeg4-avi-b-frames", "mpeg2-interlaced"}


@pytest.mark.parametrize("kind", KINDS)
def test_frames_show_the_numbers_asked_for(tmp_path: Path, kind: str) -> None:
    suffix, settings = KINDS[kind]
    path = str(write(tmp_path / f"{kind}.{suffix}", **settings))
    width, height = settings.get("size", (80, 48))
    rng = np.random.default_rng(0)
    for decoder in DECODERS:
        if decoder == "decord" and kind in NOT_BY_DECORD:
            with pytest.raises(UnreadableVideoError, match="decoder 'pyav'"):
                open_reader(path, decoder)
            continue
        whole = open_reader(path, decoder)
        frames = whole.frames(range(N))
        assert numbers_of(frames) == list(range(N))
        assert whole.num_frames == whole.promised_frames == N
        assert {(frame.shape, str(frame.dtype)) for frame in frames} == {
            ((height, width, 3), "uint8")
        }
        # Yellow above, grey below: neither upside down nor blue for red.
        red, _, blue = frames[0][: height // 5].mean((0, 1))
        assert red > blue + 15 or kind == "h264-grey"
        in_one_pass = open_reader(path, decoder)
        assert all(np.array_equal(a, b) for a, b in zip(in_one_pass, frames, strict=True))
        for clip in range(4):
            start = int(rng.integers(0, N - 8))
            asked = [*range(start, start + 8, 1 + clip % 2), 0, 1, 0, start, *rng.integers(0, N, 2)]
            reader = open_reader(path, decoder)
            for indices in (asked, asked[::-1], [N - 1]):  # one reader may be asked again
                answer = reader.frames(indices)
                assert numbers_of(answer) == list(indices)
                assert all(np.array_equal(a, frames[i]) for a, i in zip(answer, indices))
            reader.close()
        if decoder == "pyav":
            assert whole._index.timed == (kind not in COUNTED)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "avi"])
def test_two_fields_are_one_frame(tmp_path: Path, suffix: str) -> None:
    path = str(write_fields(tmp_path / f"camcorder.{suffix}", num_frames=20))
    with av.open(path) as container:
        assert sum(packet.size > 0 for packet in container.demux(video=0)) == 40
    for decoder in DECODERS:
        reader = open_reader(path, decoder)
        assert reader.num_frames == reader.promised_frames == 20
        luma = np.array([frame.mean() for frame in reader.frames([3, 19, 4])])
        # From the limited range, 16 to 235, to 0 to 255.
        assert np.allclose(luma, (np.array([54, 182, 62]) - 16) * 255 / 219, atol=1.5)
        assert len(list(open_reader(path, decoder))) == 20


def test_b_frames_packed_into_one_packet(tmp_path: Path) -> None:
    path = str(write_packed(tmp_path / "packed.avi", num_frames=31))
    for decoder in DECODERS:
        assert numbers_of(open_reader(path, decoder).frames(range(31))) == list(range(31))
        assert numbers_of(open_reader(path, decoder).frames([20, 3, 21])) == [20, 3, 21]


def test_b_frames_that_begin_late(tmp_path: Path) -> None:
    """Nothing in the file's beginning tells that FFmpeg's timestamps will be wrong."""
    plain = write(tmp_path / "a.avi", num_frames=300, codec="mpeg4", gop_size=10)
    options = {"b_strategy": "0"}
    settings = dict(codec="mpeg4", gop_size=10, max_b_frames=2, options=options)
    with_b_frames = write(tmp_path / "b.avi", num_frames=20, **settings)
    path = join([plain, with_b_frames], tmp_path / "late.avi")
    # At the change of delay a decoder hands out one picture twice.
    truth = [*range(300), 299, *range(20)]
    reader = open_reader(str(path))
    assert reader._index.timed
    for indices in ([3], [301, 302, 303], [4, 314, 315, 316], [12]):
        assert numbers_of(reader.frames(indices)) == [truth[i] for i in indices]
    assert not reader._index.timed
    assert numbers_of(open_reader(str(path), "decord").frames(range(300))) == truth[:300]


def test_frames_cut_away_by_an_edit_list_do_not_count(tmp_path: Path) -> None:
    """As left behind by cutting without encoding again: the first pictures are not shown."""
    path = write(tmp_path / "cut.mp4", stamps=list(range(-7, N - 7)), **x264(keyint=15))
    reader = open_reader(str(path))
    assert numbers_of(reader.frames([0, 1, 30, 52])) == [7, 8, 37, 59]
    assert numbers_of(reader) == list(range(7, N))
    assert reader.num_frames == reader.promised_frames == N - 7


def test_an_edit_list_that_shows_nothing(tmp_path: Path) -> None:
    """It begins after the last frame."""
    path = write(tmp_path / "none.mp4", **x264(keyint=15))
    content = bytearray(path.read_bytes())
    begin = content.index(b"elst") + 16  # after the version, the number of entries, a length
    content[begin : begin + 4] = (1_000_000).to_bytes(4, "big")
    path.write_bytes(content)
    with pytest.raises(UnreadableVideoError, match="has no frames"):
        open_reader(str(path))


def test_only_what_is_needed_is_decoded(tmp_path: Path, monkeypatch) -> None:
    path = write(tmp_path / "v.mp4", num_frames=200, **x264(keyint=20, scenecut=0))
    reader = open_reader(str(path))
    packets, pictures = [], []
    decode, picture = reader._decode, reader._picture
    monkeypatch.setattr(reader, "_decode", lambda p: packets.append(p) or decode(p))
    monkeypatch.setattr(reader, "_picture", lambda f: pictures.append(f) or picture(f))
    clips = [*range(8), *range(4, 12), *range(8), *range(165, 173)]
    frames = reader.frames(clips)
    assert numbers_of(frames) == clips
    assert len(pictures) == 12 + 8  # each picture once
    assert sum(packet is not None for packet in packets) < 12 + 8 + 20  # no walk from 12 to 160
    assert frames[0] is frames[16] and not frames[0].flags.writeable


def test_videos_from_memory(tmp_path: Path) -> None:
    """As a storage backend delivers them; MMEngine's local one does with a prefix of its own."""
    from mmengine.fileio import LocalBackend, register_backend

    class Remote(LocalBackend):
        pass

    register_backend("remote", Remote, force=True, prefixes="remote")
    path = write(tmp_path / "v.mp4")
    for decoder in DECODERS:
        reader = open_reader(str(path), decoder, backend_args=dict(backend="remote"))
        assert numbers_of(reader.frames([40, 2])) == [40, 2]


def test_pictures_are_the_same_for_all_decoders_and_threads(tmp_path: Path) -> None:
    path = str(write(tmp_path / "v.mp4", size=(96, 64), **x264(keyint=15)))
    reference = open_reader(path).frames(range(N))
    for reader in (open_reader(path, "decord"), open_reader(path, num_threads=2)):
        frames = reader.frames(range(N))
        assert max(int(cv2.absdiff(a, b).max()) for a, b in zip(frames, reference)) <= 2


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="needs Linux's /proc")
def test_one_thread_means_none_beside_the_worker(tmp_path: Path, request) -> None:
    path = write(tmp_path / "v.mp4", size=(320, 240))
    request.addfinalizer(partial(cv2.setNumThreads, cv2.getNumThreads()))
    cv2.setNumThreads(0)  # as MMEngine's env_cfg does

    def threads_while_open(num_threads: int) -> int:
        before = len(list(Path("/proc/self/task").iterdir()))
        reader = open_reader(str(path), num_threads=num_threads)
        reader.frames(range(20))
        return len(list(Path("/proc/self/task").iterdir())) - before

    assert threads_while_open(1) == 0
    assert threads_while_open(3) > 0
