"""Pages of a collection of made-up vectors."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from urllib.parse import unquote

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from slic_mmaction.cli.app import app
from slic_mmaction.collection import Collection
from slic_mmaction.collection.groups import distances_to_means
from slic_mmaction.collection.store import WindowTable
from slic_mmaction.visualization import (
    cluster_page,
    collection_pages,
    map_page,
    search_page,
    video_map,
)
from slic_mmaction.visualization.video_map import place

from ..videos import encode
from .parsed_page import Parsed

HOSTILE = [
    "<script>alert(1)</script>.mp4",
    "<img src=x onerror=alert(2)>.mp4",
    "\"'&amp;{{ 7 * 7 }}.mp4",
    "a\nb\u202ec #1?%41 $x^{$.mp4",
    "Видео/_日本 🎬.mp4",
    "</title></style><b>/javascript:x.webm",
]


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Collection]:
    """Make an index of made-up vectors; the videos need not exist."""

    def make(
        paths: Sequence[str], vectors: np.ndarray, cluster: Sequence[int] | None = None
    ) -> Collection:
        index = tmp_path / "index"
        shutil.rmtree(index, ignore_errors=True)
        index.mkdir()
        folder = tmp_path / "videos"
        settings = dict(format=1, folder=str(folder), window=4.0, stride=2.0, network="x")
        (index / "collection.json").write_text(json.dumps(settings))
        table = WindowTable(index)
        starts = [0.1 * list(paths[:i]).count(path) for i, path in enumerate(paths)]
        ends = [start + 0.2 for start in starts]
        count = len(paths)
        table.add(list(paths), starts, ends, [1] * count, [1] * count, vectors)
        table.publish()
        if cluster is not None:
            rows = table.read()
            labels = dict(zip(zip(paths, starts), cluster))
            keys = zip(rows["path"].to_pylist(), rows["start"].to_pylist())
            numbers = np.array([labels[key] for key in keys])
            values = np.array(rows["vector"].to_pylist())
            table.write_clusters(rows, numbers, distances_to_means(values, numbers))
        return Collection(index)

    return make


@pytest.fixture
def no_umap(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "umap", None)


def vectors(count: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, 6)).astype(np.float32)


def visible(name: str) -> str:
    return name.replace("\n", "\\n").replace("\u202e", "\\u202e")


def test_names_are_harmless_in_every_page(
    make: Callable[..., Collection], tmp_path: Path, no_umap: None
) -> None:
    folder = tmp_path / "videos"
    clip = encode(tmp_path / "clip.mp4", np.full((9, 32, 40, 3), 90, np.uint8))
    for name in HOSTILE:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(clip, folder / name)
    collection = make(HOSTILE, vectors(6), [0, 0, 0, 1, 1, 1])
    hits = collection.search(HOSTILE[0], top=5)
    out = tmp_path / "a page's folder"
    pages = {
        "search": search_page(collection, HOSTILE[0], hits, out / "search.html", 0.1, 0.3),
        "clusters": cluster_page(collection, out / "clusters.html"),
        "map": map_page(collection, out / "map.html", "folder").page,
    }
    allowed = {"html", "head", "meta", "title", "style", "body", "main", "header", "footer", "h1",
               "h2", "h3", "p", "section", "div", "dl", "dt", "dd", "figure", "figcaption", "img",
               "span", "wbr", "a", "details", "summary", "video", "script"}  # fmt: skip
    for kind, path in pages.items():
        parsed = Parsed(path)
        assert {tag for tag, _ in parsed.elements} <= allowed
        assert not [key for _, values in parsed.elements for key in values if key.startswith("on")]
        scripts = [tag for tag, _ in parsed.elements if tag == "script"]
        assert len(scripts) == (2 if kind == "map" else 0)
        assert all("default-src 'none'" in c for c in parsed.attributes("meta", "content")[1:])
        sources = parsed.attributes("img", "src")
        assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
        links = parsed.attributes("video", "src") + parsed.attributes("a", "href")
        files = {(path.parent / unquote(link.split("#")[0])).resolve() for link in links}
        if kind == "map":
            data = json.loads(re.search(r"const data = (.*);\n", path.read_text())[1])
            assert [point["path"] for point in data["points"]] == sorted(map(visible, HOSTILE))
            files = {(path.parent / unquote(p["url"])).resolve() for p in data["points"]}
            assert all("<" not in trace["name"] for trace in data["traces"])
        else:
            assert len(sources) == 6
            for name in HOSTILE:
                assert visible(name) in parsed.text
        assert files == {folder / name for name in HOSTILE}
    search = Parsed(pages["search"])
    assert search.attributes("video", "preload") == ["none"] * 6
    assert search.attributes("video", "src")[0].endswith("#t=0.1,0.3")
    assert f"closer than {hits[0].closer_than:.2%} of random pairs" in search.text
    assert sorted(os.listdir(out)) == ["clusters.html", "map.html", "map.png", "search.html"]


def test_clusters_stand_in_order_with_members_of_different_videos(
    make: Callable[..., Collection], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Cluster 1: 12 videos; 2 and 0: 2 videos, 2 the tighter; 3: one video; one window is noise.
    paths = [f"f{i % 2}/{i:02}.mp4" for i in range(12) for _ in range(2)]
    paths += ["t1.avi", "t2.avi", "w1.avi", "w2.avi", *["one.avi"] * 3, "noise.avi"]
    cluster = [1] * 24 + [2] * 2 + [0] * 2 + [3] * 3 + [-1]
    values = vectors(len(paths))
    values[24:26] = values[24] + 0.01 * vectors(2, seed=1)
    collection = make(paths, values, cluster)
    page = Parsed(cluster_page(collection, tmp_path / "clusters.html"))
    assert re.findall(r"Cluster (\d)", page.text) == ["1", "2", "0", "3"]
    assert "24 windows of 12 videos" in page.text and "in f0 (6), f1 (6)" in page.text
    assert "windows in no cluster" in page.text and page.text.count("gone") == 8 + 2 + 2 + 3
    assert not page.attributes("a", "href")
    rows = collection.rows
    shown = re.findall(r"(f\d/\d\d\.mp4)", page.text)
    inside = np.flatnonzero(collection.column("cluster") == 1)
    distance = collection.column("distance")
    nearest = {rows["path"][int(i)].as_py(): None for i in inside[np.argsort(distance[inside])]}
    assert shown[:5] == list(nearest)[:5] and len(set(shown)) == len(shown) == 8
    monkeypatch.setattr(collection_pages, "_CLUSTERS", 3)
    page = Parsed(cluster_page(collection, tmp_path / "clusters.html"))
    assert re.findall(r"Cluster (\d)", page.text) == ["1", "2", "0"]
    assert "left out here: 1 other, with 9.4% of all windows" in page.text


def test_map_samples_and_says_so(
    make: Callable[..., Collection],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    no_umap: None,
) -> None:
    paths = [f"{i % 30:02}/{i:03}.mp4" for i in range(60)]
    collection = make(paths, vectors(60), [i % 25 for i in range(60)])
    drawn = map_page(collection, tmp_path / "map.html")
    first = drawn.page.read_bytes()
    assert "60 videos, placed by PCA" in drawn.note and "coloured by cluster" in drawn.note
    assert "pip install 'slic-mmaction[view]'" in drawn.note
    data = json.loads(re.search(r"const data = (.*);\n", first.decode())[1])
    others, *coloured = data["traces"]
    assert others["name"] == "5 other clusters" and len(coloured) == 20
    rows = [row for trace in data["traces"] for row in trace["customdata"]]
    assert sorted(rows) == list(range(60))
    assert data["points"][0]["details"] == "cluster 0 · 1 window · gone"
    assert map_page(collection, tmp_path / "map.html").page.read_bytes() == first
    assert cv2.imread(str(drawn.picture)).std() > 5
    by_folder = map_page(collection, tmp_path / "folder.html", "folder")
    assert "10 other folders" in by_folder.page.read_text()
    monkeypatch.setattr(video_map, "_POINTS", 40)
    monkeypatch.setattr(video_map, "_THUMBNAILS", 5)
    text = Parsed(map_page(collection, tmp_path / "map.html").page).text
    assert "40 of 60 videos (a random sample)" in text and "A random 5 of the points" in text
    with pytest.raises(ValueError, match="by cluster or by folder, not by size"):
        map_page(collection, tmp_path / "map.html", "size")


def test_map_of_one_and_two_videos(
    make: Callable[..., Collection], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for count in (1, 2):
        collection = make(["a.mp4", "b.mp4"][:count], vectors(count))
        note = map_page(collection, tmp_path / "map.html").note
        assert note.startswith(f"{count} video") and note.endswith("coloured by folder")
    with pytest.raises(ValueError, match="no clusters yet"):
        map_page(collection, tmp_path / "map.html", "cluster")
    monkeypatch.setitem(sys.modules, "plotly.offline", None)
    with pytest.raises(ImportError, match=r"slic-mmaction\[collection\]"):
        map_page(collection, tmp_path / "map.html")


def test_place_keeps_the_plane_and_umap_is_asked_for_one_map(
    monkeypatch: pytest.MonkeyPatch, no_umap: None
) -> None:
    flat = vectors(30)[:, :2] @ np.linalg.qr(vectors(6))[0][:2]
    points, how = place(flat)
    between = np.linalg.norm(flat[:, None] - flat, axis=2)
    np.testing.assert_allclose(np.linalg.norm(points[:, None] - points, axis=2), between, atol=1e-5)
    assert how.startswith("PCA")

    asked = {}

    class Umap:
        def __init__(self, **options: object) -> None:
            asked.update(options)

        def fit_transform(self, values: np.ndarray) -> np.ndarray:
            return values[:, :2]

    fake = ModuleType("umap")
    fake.UMAP = Umap  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "umap", fake)
    assert place(flat[:12])[1] == "UMAP"
    assert asked == dict(n_neighbors=11, metric="cosine", random_state=0, n_jobs=1)
    assert place(flat[:9])[1].startswith("PCA")


def test_commands_name_their_pages(
    make: Callable[..., Collection], tmp_path: Path, no_umap: None
) -> None:
    make([f"{i}.mp4" for i in range(12)], vectors(12))
    index, out = str(tmp_path / "index"), str(tmp_path / "m.html")
    result = CliRunner().invoke(app, ["map", "--in", index, "--out", out])
    assert f"page: {out}" in result.output and "next: slic" in result.output
    result = CliRunner().invoke(app, ["search", "3.mp4", "--in", index, "--html", out, "--json"])
    assert len(json.loads(result.output)) == 10
    assert "Most similar to 3.mp4" in Path(out).read_text()
    result = CliRunner().invoke(app, ["clusters", "--in", index])
    assert f"page: {index}/clusters.html" in result.output
    result = CliRunner().invoke(app, ["clusters", "--in", index, "--out", out])
    assert "must be the name of the CSV" in str(result.exception)
