"""A map of a collection: every video is a point in the plane, near similar videos."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from markupsafe import Markup

from ..collection.groups import NOISE, cluster_means
from ..progress import progress_bar
from .map_drawing import MAP, layers, map_picture
from .page import render, visible, write_page
from .thumbnails import Moment, strips, video_url

if TYPE_CHECKING:
    from ..collection import Collection

_POINTS, _THUMBNAILS = 5000, 1500  # more would make the page slow and larger than 25 MB
_FEWEST_FOR_UMAP = 10
_NEIGHBORS = 15


class Map(NamedTuple):
    """Files of a map.

    Attributes:
        page: Path of the HTML file.
        picture: Path of the PNG file.
        note: Description of the map.
    """

    page: Path
    picture: Path
    note: str


def map_page(collection: Collection, path: str | Path, color: str | None = None) -> Map:
    """Draw a map of the videos of a collection, by the means of their windows' vectors.

    Args:
        collection: The collection.
        path: Path of the HTML file. A PNG file is written beside it.
        color: ``"cluster"`` (the cluster of most of a video's windows) or ``"folder"`` (the
            top-level folder). By default clusters if there are any.

    Returns:
        The files of the map.

    Raises:
        ValueError: If ``color`` is unknown, there are no clusters, or ``path`` is a PNG.
        ImportError: If plotly is not installed.

    Examples:
        >>> from slic_mmaction.collection import Collection
        >>> from slic_mmaction.visualization import map_page
        >>> map_page(Collection("index"), "map.html", color="folder").picture.name
        'map.png'
    """
    try:
        from plotly.offline import get_plotlyjs
    except ImportError as error:
        raise ImportError(
            "A map of videos needs plotly: pip install 'slic-mmaction[collection]'."
        ) from error
    path, cluster = Path(path), collection.column("cluster")
    if path.suffix.lower() == ".png":
        raise ValueError(
            f"{path} must be the name of the page, such as map.html: the PNG is written beside it."
        )
    if color is None:
        color = "cluster" if (cluster != NOISE).any() else "folder"
    if color not in ("cluster", "folder"):
        raise ValueError(f"A map is coloured by cluster or by folder, not by {color}.")
    if color == "cluster" and not (cluster != NOISE).any():
        raise ValueError("This collection has no clusters yet: `slic clusters` makes them.")
    names, videos = np.unique(collection.paths, return_inverse=True)
    groups = _clusters(cluster, videos) if color == "cluster" else _folders(names)
    generator = np.random.default_rng(0)
    drawn = np.sort(generator.permutation(len(names))[:_POINTS])
    points, how = place(cluster_means(collection.vectors, videos)[drawn])
    count = f"{len(drawn):,} of {len(names):,} videos (a random sample)"
    if len(drawn) == len(names):
        count = f"{len(names):,} videos" if len(names) > 1 else "1 video"
    with_image = np.sort(generator.permutation(drawn)[:_THUMBNAILS])
    moments = [Moment(collection.folder / name) for name in names[with_image].tolist()]
    images = dict(zip(with_image.tolist(), strips(moments, height=70)))
    windows = np.bincount(videos)
    records: list[dict[str, str]] = []
    for video in drawn.tolist():
        image = images.get(video)
        problem = f" \u00b7 {image.problem}" if image and image.problem else ""
        number = f"{windows[video]} window" + ("s" if windows[video] > 1 else "")
        records.append(
            dict(
                path=visible(str(names[video])),
                details=f"{visible(groups[video])} \u00b7 {number}{problem}",
                image=image.source if image else "",
                url=video_url(Moment(collection.folder / str(names[video])), path),
            )
        )
    grouped = layers([groups[video] for video in drawn.tolist()], color)
    note = f"{count}, placed by {how}, coloured by {color}"
    play = ", click to play it" if any(record["url"] for record in records) else ""
    notes = [
        f"{note}.",
        "Near points are alike; axes, and distances between far points, have no meaning. Point at "
        f"a video to see it{play}, scroll to zoom, click a name to hide its points.",
    ]
    if len(images) < len(drawn):
        notes.append(f"A random {len(images):,} of the points have a thumbnail.")
    values = dict(traces=[layer.trace(points) for layer in grouped], points=records)
    body = render(MAP, plotly=Markup(get_plotlyjs()), data=values)
    title = f"Map of {collection.folder.name}"
    picture = map_picture(points, grouped, f"{visible(title)}: {note}", path.with_suffix(".png"))
    return Map(write_page(path, title, notes, [body]), picture, note)


def place(vectors: np.ndarray) -> tuple[np.ndarray, str]:
    """Place vectors (N, D) of length 1 in the plane, similar ones together, deterministically.

    Returns:
        (N, 2) float64, and the method, UMAP, or PCA if UMAP is not installed or N is small.
    """
    if len(vectors) >= _FEWEST_FOR_UMAP:
        try:
            from umap import UMAP
        except ImportError:
            how = "PCA (pip install 'slic-mmaction[view]' brings UMAP, which shows groups better)"
        else:
            neighbors = min(_NEIGHBORS, len(vectors) - 1)
            # With several threads, every run would give another map.
            umap = UMAP(n_neighbors=neighbors, metric="cosine", random_state=0, n_jobs=1)
            doing = f"placing {len(vectors)} videos by UMAP"
            with progress_bar(doing, None), warnings.catch_warnings():
                warnings.simplefilter("ignore")  # such as on small or disconnected graphs
                return umap.fit_transform(vectors).astype(float), "UMAP"
    else:
        how = "PCA, because UMAP needs more videos"
    left, scale, _ = np.linalg.svd(vectors - vectors.mean(axis=0), full_matrices=False)
    plane = np.zeros((len(vectors), 2))
    plane[:, : len(scale)] = (left * scale)[:, :2]
    return plane * np.where(plane[abs(plane).argmax(axis=0), [0, 1]] < 0, -1, 1), how


def _clusters(cluster: np.ndarray, videos: np.ndarray) -> list[str]:
    """Find the cluster of most windows of each video, the lower number among equals."""
    pairs, counts = np.unique(np.stack([videos, cluster]), axis=1, return_counts=True)
    counts = np.where(pairs[1] == NOISE, 0, counts)
    best = np.lexsort((pairs[1], -counts, pairs[0]))
    first = best[np.unique(pairs[0][best], return_index=True)[1]]
    return ["no cluster" if k == NOISE else f"cluster {k}" for k in pairs[1][first].tolist()]


def _folders(names: np.ndarray) -> list[str]:
    return [name.partition("/")[0] if "/" in name else "no folder" for name in names.tolist()]
