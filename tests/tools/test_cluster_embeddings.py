"""The clustering tool as a user runs it."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from slic_mmaction.clustering import KMeans, finch

TOOL = "analysis/cluster_embeddings.py"


@pytest.fixture
def call(tool, monkeypatch, capsys):
    """Run the tool's main with these arguments; returns exit code, stdout and stderr."""

    def call(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["cluster_embeddings.py", *map(str, arguments)])
        code = 0
        try:
            tool.main()
        except SystemExit as error:
            code = error.code
        said = capsys.readouterr()
        return code, said.out, said.err

    return call


@pytest.fixture
def points() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    classes = rng.integers(12, size=300)
    centers = rng.standard_normal((12, 16))
    return (centers[classes] + 0.1 * rng.standard_normal((300, 16))).astype(np.float32), classes


@pytest.fixture
def files(points, tmp_path: Path) -> tuple[Path, Path]:
    paths = tmp_path / "emb.npy", tmp_path / "classes.npy"
    for path, array in zip(paths, points):
        np.save(path, array)
    return paths


def row(said: str, name: str) -> list[str]:
    lines = [line.strip("│ ").split("│") for line in said.splitlines()]
    return next([cell.strip() for cell in cells[1:]] for cells in lines if cells[0].strip() == name)


def test_finch_by_default(call, files, points, tmp_path: Path) -> None:
    code, said, _ = call(files[0], "--labels", files[1], "--out", tmp_path / "l.npy")
    assert code == 0
    labels = np.load(tmp_path / "l.npy")
    expected = finch(points[0]).labels[:, 0]
    np.testing.assert_array_equal(labels, expected)
    assert labels.dtype == np.int64
    assert row(said, "clusters")[0] == str(expected.max() + 1)
    assert row(said, "points")[0] == "300" and row(said, "purity")[0] == "1.0000"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["classes.npy", "emb.npy", "l.npy"]


def test_options_reach_the_clusterer(call, files, points) -> None:
    code, said, _ = call(files[0], "--method", "kmeans", "--num-clusters", 12, "--seed", 3)
    assert code == 0 and row(said, "clusters")[0] == "12"
    labels = np.load(files[0].with_name("emb.kmeans.npy"))
    np.testing.assert_array_equal(labels, KMeans(12, seed=3)(points[0]))
    assert "NMI" not in said
    call(files[0], "--level", 1, "--metric", "euclidean", "--options", "early_exit=False")
    labels = np.load(files[0].with_name("emb.finch.npy"))
    expected = finch(points[0], "euclidean", early_exit=False).labels[:, 1]
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("spherical-kmeans", ["--num-clusters", 5]),
        ("dbscan", ["--eps", 0.01]),
        ("optics", []),
        ("agglomerative", ["--distance-threshold", 0.1]),
    ],
)
def test_every_method_runs(call, files, method, options) -> None:
    code, said, _ = call(files[0], "--method", method, "--labels", files[1], *options)
    assert code == 0
    labels = np.load(files[0].with_name(f"emb.{method}.npy"))
    assert labels.shape == (300,) and row(said, "noise")[0] == str((labels < 0).sum())
    sizes = np.unique(labels[labels >= 0], return_counts=True)[1]
    assert row(said, "largest")[0] == str(sizes.max(initial=0))


def test_histogram_and_its_table(call, files, tmp_path: Path) -> None:
    picture, before = tmp_path / "pictures" / "sizes.png", files[0].read_bytes()
    _, said, _ = call(
        files[0], "--method", "kmeans", "--num-clusters", 12, "--histogram", picture
    )  # fmt: skip
    assert picture.read_bytes().startswith(b"\x89PNG") and f"histogram: {picture}" in said
    sizes = np.bincount(np.load(files[0].with_name("emb.kmeans.npy")))
    count, bar = row(said, "of size 16-31")
    assert int(count) == ((sizes >= 16) & (sizes < 32)).sum() and bar.startswith("█")
    assert files[0].read_bytes() == before


def test_bars_show_clusters_and_the_share_of_points(tool, tmp_path: Path, monkeypatch) -> None:
    drawn = []
    monkeypatch.setattr(tool, "save_figure", lambda figure, path: drawn.append(figure))
    # Two singletons, one pair, one cluster of 9; three of 16 points are noise.
    labels = np.repeat([0, 1, 2, 3, -1], [1, 1, 2, 9, 3])
    for case in (labels, np.full(4, -1)):
        tool.size_report(case, tmp_path / "x.png", "my title")
    upper, lower = drawn[0].axes
    assert [bar.get_height() for bar in upper.patches] == [2, 1, 0, 1, 0]
    shares = [bar.get_height() for bar in lower.patches]
    assert shares == pytest.approx([12.5, 12.5, 0, 56.25, 18.75])
    names = [text.get_text() for text in lower.get_xticklabels()]
    assert names == ["1", "2-3", "4-7", "8-15", "noise"]
    assert drawn[0].get_suptitle() == "my title\n16 points, 4 clusters, 3 noise"
    assert [bar.get_height() for bar in drawn[1].axes[1].patches] == [100]


@pytest.mark.parametrize("dtype", ["float16", ">f4", "int32"])
def test_other_types_of_numbers(call, tmp_path: Path, dtype) -> None:
    rng = np.random.default_rng(0)
    grid = rng.integers(-9, 10, (40, 6))
    np.save(tmp_path / "e.npy", grid.astype(dtype))
    assert call(tmp_path / "e.npy")[0] == 0
    np.testing.assert_array_equal(
        np.load(tmp_path / "e.finch.npy"), finch(grid.astype(np.float32)).labels[:, 0]
    )


BROKEN = {
    "vector": (np.zeros(4), "holds float64 of shape (4,), but it needs embeddings of shape (N, D)"),
    "empty": (np.zeros((0, 8)), "of shape (0, 8)"),
    "objects": (np.array([[1, "a"]], dtype=object), "Python objects"),
    "complex": (np.zeros((3, 2), dtype=complex), "holds complex128"),
    "nan": (np.array([[1.0, 2.0], [np.nan, 3.0]]), "1 of 2 embeddings have NaN or Inf, the first"),
    "missing": (None, "There is no file"),
    "text": (b"0.1, 0.2\n0.3, 0.4\n", "write it by numpy.save"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_bad_embeddings_are_one_sentence_and_exit_code_2(call, tmp_path: Path, name: str) -> None:
    path, (content, said) = tmp_path / f"{name}.npy", BROKEN[name]
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        np.save(path, content, allow_pickle=True)
    code, _, err = call(path)
    assert code == 2 and said in err.splitlines()[-1], err
    assert name in err or name == "nan"
    assert not list(tmp_path.glob("*.finch.npy"))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--method", "kmeans", "--eps", 0.1], "kmeans has no option eps: its options are num_"),
        (["--options", "speed=9"], "finch has no option speed"),
        (["--level", -1], "level=-1"),
        (["--method", "kmeans", "--options", "num_restarts=many"], "is of the wrong type"),
        (["--method", "kmeans", "--num-clusters", 301], "set num_clusters to 300 or less"),
        (["--out", "emb.npy/labels.npy"], "emb.npy"),
    ],
)
def test_bad_options_are_one_sentence_and_exit_code_2(
    call, files, tmp_path: Path, monkeypatch, options, said
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = call(files[0], *options)
    assert code == 2 and said in err.splitlines()[-1], err


def test_classes_that_do_not_fit_are_named(call, files, tmp_path: Path) -> None:
    np.save(tmp_path / "few.npy", np.zeros(7, dtype=int))
    np.save(tmp_path / "real.npy", np.zeros(300))
    code, _, err = call(files[0], "--labels", tmp_path / "few.npy")
    assert code == 2 and "few.npy has 7 classes" in err and "300 embeddings" in err
    code, _, err = call(files[0], "--labels", tmp_path / "real.npy")
    assert code == 2 and "holds float64" in err and "integer classes" in err
