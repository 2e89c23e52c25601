"""Near-duplicates: candidates, the comparison of footage, groups, and the command."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from typer.testing import CliRunner

from slic_mmaction import nearest
from slic_mmaction.cli import app
from slic_mmaction.collection import Collection
from slic_mmaction.collection.duplicates import best_of, nearest_videos
from slic_mmaction.collection.footage import (
    RATE,
    Footage,
    bars,
    compare,
    read_footage,
    repetition,
    summary,
)
from slic_mmaction.collection.store import WindowTable
from tests.videos import encode

WIDTH, HEIGHT = 96, 64


def scene(
    background_seed: int, take: int, length: int = 90, repeated: float = 0
) -> list[np.ndarray]:
    """A background before which a ball and a square move by the take, or to and fro so far."""
    rng = np.random.default_rng(background_seed)
    background = cv2.resize(rng.integers(40, 216, (6, 8, 3), dtype=np.uint8), (WIDTH, HEIGHT))
    rng = np.random.default_rng([background_seed, take])
    speed, phase = rng.uniform(0.04, 0.2, (2, 2)), rng.uniform(0, 6, (2, 2))
    frames = []
    for t in range(length):
        if repeated:
            places = 0.5 + repeated * np.sin(2 * np.pi * t / 20 + phase)
        else:
            places = 0.5 + 0.4 * np.sin(speed * t + phase)
        (x, y), (u, v) = (places * [WIDTH, HEIGHT]).astype(int).tolist()
        frame = cv2.circle(background.copy(), (x, y), 9, (250, 250, 240), -1)
        frames.append(cv2.rectangle(frame, (u - 7, v - 7), (u + 7, v + 7), (5, 10, 20), -1))
    return frames


def half(frame: np.ndarray) -> np.ndarray:
    return cv2.resize(frame, (WIDTH // 2, HEIGHT // 2), interpolation=cv2.INTER_AREA)


def bordered(frame: np.ndarray) -> np.ndarray:
    return cv2.copyMakeBorder(frame, 10, 10, 0, 24, cv2.BORDER_CONSTANT, value=(0, 0, 0))


def faded(frame: np.ndarray) -> np.ndarray:
    return (frame * [0.7, 0.5, 0.6] + [20, 60, 50]).astype(np.uint8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A scene, its copies, another take of it, and another scene with a copy of its own."""
    folder = tmp_path_factory.mktemp("near duplicates")
    frames = scene(0, 0)
    encode(folder / "original.mp4", frames)
    encode(folder / "low quality.mp4", frames, options={"crf": "40"})
    encode(folder / "half's.mp4", map(half, frames))
    encode(folder / "mirrored.mp4", [np.ascontiguousarray(f[:, ::-1]) for f in frames])
    encode(folder / "trimmed\n.mp4", frames[25:])
    encode(folder / "bars.mp4", map(bordered, frames))
    encode(folder / "slow.mp4", frames[::2], stamps=range(0, len(frames), 2))
    encode(folder / "faded.mp4", map(faded, frames))
    encode(folder / "other take.mp4", scene(0, 1))
    encode(folder / "again.mp4", scene(0, 2, repeated=0.4))
    encode(folder / "again, less.mp4", scene(0, 2, repeated=0.38))
    encode(folder / "other.mp4", scene(1, 0))
    encode(folder / "other, too.mp4", scene(1, 0), options={"crf": "35"})
    return folder


COPIES = {
    "low quality.mp4": (0, False),
    "half's.mp4": (0, False),
    "mirrored.mp4": (0, True),
    "trimmed\n.mp4": (1.0, False),
    "bars.mp4": (0, False),
    "slow.mp4": (0, False),
    "faded.mp4": (0, False),
}


def test_footage(folder: Path) -> None:
    footage = {path.name: read_footage(str(path)) for path in folder.iterdir()}
    original = footage["original.mp4"]
    (view,) = original.views
    assert view.shape == (36, 12, 12) and original.seconds == pytest.approx(3.6)
    assert (original.width, original.height, original.pixels) == (WIDTH, HEIGHT, WIDTH * HEIGHT)
    assert footage["bars.mp4"].pixels == pytest.approx(WIDTH * HEIGHT, rel=0.06)
    for name, (offset, mirrored) in COPIES.items():
        match, back = compare(original, footage[name]), compare(footage[name], original)
        assert match.is_copy, (name, match)
        assert match.offset == pytest.approx(offset, abs=0.1) and match.mirrored == mirrored
        assert back.offset == pytest.approx(-match.offset)
        assert back.motion == pytest.approx(match.motion)
        looks = summary(original)[0] @ summary(footage[name]).T / 2
        assert looks.argmax() == mirrored and looks.max() > 0.8, name
    for name in ("other take.mp4", "again.mp4", "other.mp4"):
        assert not compare(original, footage[name]).is_copy, name
    # Another take of the same scene looks the same, and one that repeats itself moves so, too.
    assert compare(original, footage["other take.mp4"]).still > 0.8
    assert compare(footage["again.mp4"], footage["again, less.mp4"]).motion > 0.8
    assert not compare(footage["again.mp4"], footage["again, less.mp4"]).is_copy


def correlation(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """Of what moves in frames (T, H, W) and of what does not, in plain words."""
    a, b = (f - f.mean(axis=(1, 2), keepdims=True) for f in (a.astype(float), b.astype(float)))
    still = [f.mean(axis=0) for f in (a, b)]
    moving = [a - still[0], b - still[1]]
    return tuple(
        float((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum())) for x, y in (moving, still)
    )


def footage(frames: np.ndarray, repetition: float = 0.0) -> Footage:
    return Footage([frames], repetition, 6, 4, 24.0, len(frames) / RATE)


@settings(max_examples=25, deadline=None)
@given(st.integers(3, 14), st.integers(3, 14), st.integers(0, 99), st.booleans())
def test_alignment_is_the_best_of_all(s: int, t: int, seed: int, mirrored: bool) -> None:
    rng = np.random.default_rng(seed)
    a = rng.integers(0, 256, (s, 4, 6), dtype=np.uint8)
    b = rng.integers(0, 256, (t, 4, 6), dtype=np.uint8)
    shared = min(s, t)
    b[:shared] = (a[-shared:, :, ::-1] if mirrored else a[-shared:]) // 2 + b[:shared] // 8
    results = []
    for flip in (False, True):
        turned = b[:, :, ::-1] if flip else b
        for offset in range(-t + 1, s):
            first, last = max(offset, 0), min(offset + t, s)
            if last - first >= round(0.6 * shared):
                part = turned[first - offset : last - offset]
                results.append((*correlation(a[first:last], part), offset, last - first, flip))
    best = max(results)
    match = compare(footage(a, 0.3), footage(b, 0.2))
    assert (match.motion, match.still) == pytest.approx(best[:2])
    assert (match.offset * RATE, match.seconds * RATE) == pytest.approx(best[2:4])
    assert match.mirrored == best[4] and match.repetition == 0.3


@pytest.mark.parametrize("length", [3, 9, 30])
def test_repetition_is_the_best_of_all_later_offsets(length: int) -> None:
    frames = np.random.default_rng(length).integers(0, 256, (length, 4, 6), dtype=np.uint8)
    frames[7:] = frames[: max(length - 7, 0)] // 2 + frames[7:] // 2
    offsets = range(4, length - round(0.4 * length) + 1)
    best = [correlation(frames[k:], frames[: length - k])[0] for k in offsets]
    assert repetition(frames) == pytest.approx(max([0.0, *best]))


def test_still_videos_have_no_motion_to_agree() -> None:
    picture = np.random.default_rng(0).integers(0, 255, (4, 6), dtype=np.uint8)
    frames = np.repeat(picture[None], 20, axis=0)
    frames[3, 2, 2] += 1  # noise of a codec
    still = footage(frames)
    assert compare(still, still).motion < 0.1 and not compare(still, still).is_copy


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9), st.integers(0, 9))
def test_bars(top: int, bottom: int, left: int, right: int) -> None:
    inside = np.random.default_rng(0).integers(0, 256, (5, 20, 20), dtype=np.uint8)
    sides = [(0, 0), (top, bottom), (left, right)]
    padded = np.pad(inside, sides, constant_values=16)
    assert bars(padded) == (top, top + 20, left, left + 20)


def windows(seed: int) -> tuple[list[str], np.ndarray]:
    """Vectors of two to four windows of each of 14 videos, some of them near each other."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(2, 5, 14)
    paths = [f"{i:02}" for i, count in enumerate(counts) for _ in range(count)]
    centres = rng.normal(size=(6, 4))[rng.integers(0, 6, len(paths))]
    return paths, (centres + 0.3 * rng.normal(size=(len(paths), 4))).astype(np.float32)


@pytest.mark.parametrize("neighbors", [1, 3, 20])
def test_nearest_videos(neighbors: int, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, vectors = windows(neighbors)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    video = np.array(paths, int)
    closest = np.full((14, 14), -np.inf)
    np.maximum.at(closest, (video[:, None], video), (units @ units.T).astype(float))
    np.fill_diagonal(closest, -np.inf)
    ranked = (-closest).argsort(axis=1)[:, : min(neighbors, 13)]
    pairs = {tuple(sorted((f"{i:02}", f"{j:02}"))) for i in range(14) for j in ranked[i]}
    assert nearest_videos(paths, vectors, neighbors) == sorted(pairs)
    monkeypatch.setattr(nearest, "BLOCK_ELEMENTS", 3 * len(paths))
    assert nearest_videos(paths, vectors, neighbors) == sorted(pairs)


def test_of_equal_videos_the_first_are_nearest() -> None:
    paths = [f"{i:02}" for i in range(30)]
    pairs = nearest_videos(paths, np.ones((30, 3), np.float32), 2)
    assert pairs == sorted({(min(a, b), max(a, b)) for a in paths for b in
                            [p for p in paths if p != a][:2]})  # fmt: skip
    assert nearest_videos(["a", "a"], np.ones((2, 3), np.float32), 10) == []


def test_best_of_a_group() -> None:
    def video(width: int, pixels: float, seconds: float) -> Footage:
        return Footage([], 0.0, width, 10, pixels, seconds)

    group = dict(
        small=video(5, 50, 9),
        short=video(10, 98, 8),
        bars=video(14, 100, 9),
        a=video(10, 97, 9),
        b=video(10, 100, 8.9),
    )
    sizes = dict(small=900, short=800, bars=700, a=200, b=100)
    assert best_of(list(group), group, sizes) == "a"
    assert best_of(list(group), group, dict(sizes, a=100)) == "a"
    assert best_of(list(group), group, dict(sizes, b=300)) == "b"
    assert best_of(["small", "short", "bars"], group, sizes) == "bars"


def write_index(folder: Path, names: list[str], path: Path) -> None:
    """An index with vectors that say nothing."""
    table, count = WindowTable(path), len(names)
    vectors = np.random.default_rng(0).normal(size=(count, 4)) + 4
    table.add(names, [0.0] * count, [4.0] * count, [9000] * count, [0] * count, vectors)
    table.publish()
    settings = dict(format=1, folder=str(folder), window=4.0, stride=2.0, network="")
    (path / "collection.json").write_text(json.dumps(settings))


def test_command(folder: Path, tmp_path: Path) -> None:
    names = sorted([*(path.name for path in folder.iterdir()), "gone.mp4"])
    write_index(folder, names, tmp_path)
    before = [path.stat().st_mtime_ns for path in sorted(folder.iterdir())]
    result = CliRunner().invoke(app, ["duplicates", "--in", str(tmp_path), "--neighbors", "20"])
    assert result.exit_code == 0, result.output
    assert [path.stat().st_mtime_ns for path in sorted(folder.iterdir())] == before
    with open(tmp_path / "duplicates.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    groups = [{row["path"] for row in rows if row["group"] == number} for number in "01"]
    assert groups == [{"original.mp4", *COPIES}, {"other.mp4", "other, too.mp4"}]
    kept = [row["path"] for row in rows if row["keep"] == "True"]
    assert len(kept) == 2 and kept[0] not in {"half's.mp4", "trimmed\n.mp4", "bars.mp4"}
    assert "trimmed\\n.mp4" in result.output and "half's.mp4" in result.output
    assert "not compared: gone.mp4: The video" in result.output
    assert "8 videos could go" in result.output and "Nothing was deleted" in result.output

    found = Collection(tmp_path).duplicates(neighbors=20)
    assert [member.path for member in found.members] == [row["path"] for row in rows]
    assert all(set(pair) <= groups[0] or set(pair) <= groups[1] for pair in found.pairs)


def test_nothing_found(tmp_path: Path) -> None:
    write_index(encode(tmp_path / "a.mp4", scene(0, 0, 30)).parent, ["a.mp4"], tmp_path)
    result = CliRunner().invoke(app, ["duplicates", "--in", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "no near-duplicates among 1 videos" in result.output and "slic clusters" in result.output
    assert (tmp_path / "duplicates.csv").read_text().startswith("group,keep,path")
