"""Near-duplicates of a collection: candidates, groups, which to keep, and the command."""

from __future__ import annotations

import csv
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from slic_mmaction import nearest
from slic_mmaction.cli.app import app
from slic_mmaction.collection import Collection, footage_table
from slic_mmaction.collection.duplicates import Duplicates, best_of, nearest_videos
from slic_mmaction.collection.footage import Footage, read_footage, summary
from slic_mmaction.collection.store import WindowTable
from slic_mmaction.visualization.browser_html import CollectionHtml
from tests.collection.near_duplicates import COPIES, scene, write_near_duplicates
from tests.videos import encode


def windows(seed: int) -> tuple[list[str], np.ndarray]:
    """Vectors of two to four windows of each of 14 videos, some of them near each other."""
    rng = np.random.default_rng(seed)
    counts = rng.integers(2, 5, 14)
    paths = [f"{i:02}" for i, count in enumerate(counts) for _ in range(count)]
    centres = rng.normal(size=(6, 4))[rng.integers(0, 6, len(paths))]
    return paths, (centres + 0.3 * rng.normal(size=(len(paths), 4))).astype(np.float32)


@pytest.mark.parametrize("limit", [-np.inf, 0.9])
@pytest.mark.parametrize("neighbors", [1, 3, 20])
def test_nearest_videos(neighbors: int, limit: float, monkeypatch: pytest.MonkeyPatch) -> None:
    paths, vectors = windows(neighbors)
    units = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    video = np.array(paths, int)
    closest = np.full((14, 14), -np.inf)
    np.maximum.at(closest, (video[:, None], video), (units @ units.T).astype(float))
    np.fill_diagonal(closest, -np.inf)
    ranked = (-closest).argsort(axis=1)[:, : min(neighbors, 13)]
    near = [(i, j) for i in range(14) for j in ranked[i] if closest[i, j] >= limit]
    assert 0 < len(near) < 14 * 13 or limit < 0
    pairs = {(f"{min(pair):02}", f"{max(pair):02}") for pair in near}
    assert nearest_videos(paths, vectors, neighbors, limit) == sorted(pairs)
    monkeypatch.setattr(nearest, "BLOCK_ELEMENTS", 3 * len(paths))
    assert nearest_videos(paths, vectors, neighbors, limit) == sorted(pairs)


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


def write_index(
    folder: Path, names: list[str], path: Path, vectors: np.ndarray | None = None
) -> None:
    """An index with vectors that say nothing, unless given."""
    table, count = WindowTable(path), len(names)
    if vectors is None:
        vectors = np.random.default_rng(0).normal(size=(count, 4)) + 4
    table.add(names, [0.0] * count, [4.0] * count, [9000] * count, [0] * count, vectors)
    table.publish()
    settings = dict(format=1, folder=str(folder), window=4.0, stride=2.0, network="")
    (path / "collection.json").write_text(json.dumps(settings))


@pytest.mark.parametrize("name", ["plain", "é 50%#?", 'it\'s "ü" $x\n'])
def test_an_index_is_all_in_its_folder(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    write_index(tmp_path, ["a.mp4"], path)
    assert os.listdir(tmp_path) == [name]
    moved = path.rename(tmp_path / "moved")
    assert Collection(moved).paths == ["a.mp4"]
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        WindowTable(moved)
    assert len(os.listdir("/proc/self/fd")) <= before


def test_command(tmp_path: Path) -> None:
    (tmp_path / "near duplicates").mkdir()
    folder = write_near_duplicates(tmp_path / "near duplicates")
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
    assert "8 videos could be deleted" in result.output and "Nothing was deleted" in result.output

    found = Collection(tmp_path).duplicates(neighbors=20)
    assert [member.path for member in found.members] == [row["path"] for row in rows]
    assert all(set(pair) <= groups[0] or set(pair) <= groups[1] for pair in found.pairs)


def test_neighbours_by_vectors_are_closer_than_random_pairs(tmp_path: Path) -> None:
    names = [f"{i}.mp4" for i in range(7)]
    for i, name in enumerate(names):
        encode(tmp_path / name, [np.roll(f, 9 * i, axis=1) for f in scene(i, 0, 30)])
    vectors = 0.2 + np.eye(7)
    vectors[1] = vectors[0] + 0.05
    write_index(tmp_path, names, tmp_path / "index", vectors)
    looks = np.concatenate([summary(read_footage(str(tmp_path / name))) for name in names])
    pairs = set(nearest_videos([name for name in names for _ in range(2)], looks, 1))
    assert len(nearest_videos(names, vectors, 1)) == 6 and (names[0], names[1]) not in pairs
    # Of the nearest neighbours by vectors, only one pair is closer than 95% of all.
    assert Collection(tmp_path / "index").duplicates(neighbors=1).compared == len(pairs) + 1


def test_groups_are_shown_where_no_csv_can_be_written(tmp_path: Path) -> None:
    names = ["a.mp4", "b.mp4"]
    for name in names:
        encode(tmp_path / name, scene(0, 0, 30))
    write_index(tmp_path, names, tmp_path / "index")
    options = ["--in", str(tmp_path / "index"), "--out", str(tmp_path / "index")]
    result = CliRunner().invoke(app, ["duplicates", *options])
    assert result.exit_code == 1 and "b.mp4" in result.output
    assert "1 groups of near-duplicates among 2 videos" in result.output
    assert "index was not written (Is a directory)" in result.output


def test_nothing_found(tmp_path: Path) -> None:
    write_index(encode(tmp_path / "a.mp4", scene(0, 0, 30)).parent, ["a.mp4"], tmp_path)
    result = CliRunner().invoke(app, ["duplicates", "--in", str(tmp_path)])
    assert result.exit_code == 0, result.output
    assert "no near-duplicates among 1 videos" in result.output and "slic clusters" in result.output
    assert (tmp_path / "duplicates.csv").read_text().startswith("group,keep,path")


def test_videos_that_cannot_be_reached_are_not_forgotten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, index = tmp_path / "videos", tmp_path / "index"
    names = ["a.mp4", "b.mp4"]
    folder.mkdir()
    for name in names:
        encode(folder / name, scene(0, 0, 30))
    write_index(folder, names, index)
    found = Collection(index).duplicates()
    away = folder.rename(tmp_path / "away")
    with pytest.raises(FileNotFoundError, match=f"No video of the index .* the folder {folder}"):
        Collection(index).duplicates()
    assert "No video of the index" in CollectionHtml(Collection(index)).find_duplicates()
    away.rename(folder)
    monkeypatch.setattr(footage_table, "read_footage", None)  # nothing is decoded again
    assert found.pairs and Collection(index).duplicates() == found


def test_two_searches_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["a.mp4", "b.mp4"]
    for name in names:
        encode(tmp_path / name, scene(0, 0, 30))
    write_index(tmp_path, names, tmp_path / "index")
    others: list[Duplicates] = []

    def read(path: str) -> Footage:
        if not others:
            monkeypatch.setattr(footage_table, "read_footage", read_footage)
            others.append(Collection(tmp_path / "index").duplicates())
        return read_footage(path)

    monkeypatch.setattr(footage_table, "read_footage", read)
    for _ in range(2):
        found = Collection(tmp_path / "index").duplicates()
        assert found.pairs and found == others[0]


def test_only_new_and_changed_files_are_decoded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"it's {i}.mp4" for i in range(5)]
    for i, name in enumerate(names):
        encode(tmp_path / name, [np.roll(f, 9 * i, axis=1) for f in scene(i, 0, 30)])
    write_index(tmp_path, names, tmp_path / "index")
    decoded: list[str] = []

    def read(path: str) -> Footage:
        if len(decoded) == stop_after:
            raise KeyboardInterrupt
        decoded.append(Path(path).name)
        return read_footage(path)

    def found() -> tuple[Duplicates, list[str]]:
        decoded.clear()
        return Collection(tmp_path / "index").duplicates(), sorted(decoded)

    monkeypatch.setattr(footage_table, "read_footage", read)
    stop_after = 2
    with pytest.raises(KeyboardInterrupt):
        found()
    stop_after = -1
    first, rest = found()
    assert rest == names[2:] and not first.pairs
    assert found() == (first, [])
    encode(tmp_path / names[3], scene(0, 0, 30))
    second, changed = found()
    assert changed == [names[3]] and list(second.pairs) == [(names[0], names[3])]
    (tmp_path / names[0]).unlink()
    third, tried = found()
    assert tried == list(third.unreadable) == names[:1] and not third.pairs
    # As if never kept; the last of them, where nothing can be.
    shutil.rmtree(tmp_path / "index" / f"{footage_table.TABLE}.lance")
    monkeypatch.setattr(os, "access", lambda *_: False)
    assert found() == (third, names) == found()
