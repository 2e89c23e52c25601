"""A folder of videos as windows with vectors: updating, search and grouping."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..preparation.video_files import count_others, scan_folder
from ..progress import progress_bar
from .export import export_windows
from .groups import Assignment, ClusterJudge, cluster_windows, distances_to_means
from .search import Hit, Searcher, windows_between
from .store import WindowTable
from .update import NETWORK, Changes, alone, read_settings, update_index

if TYPE_CHECKING:
    import pyarrow

    from .duplicates import Duplicates
    from .network import Network


class Collection:
    """The windows of all videos of a folder, each with a vector.

    All vectors are from the same network, whose weights are in the index. Nothing is ever written
    to the folder of the videos.

    Args:
        path: Folder of the index.

    Attributes:
        folder: Folder of the videos.
        window: Length of a window in seconds.
        stride: Time from the start of one window to the next, in seconds.

    Raises:
        FileNotFoundError: If there is no index, or it is not finished.
        ValueError: If it was written by another version of this package.

    Examples:
        >>> from slic_mmaction.collection import Collection
        >>> from slic_mmaction.collection.network import Network
        >>> network = Network.from_config("slic.py", "weights.pth")
        >>> changes = Collection.index("videos", "my_index", network)
        >>> collection = Collection("my_index")
        >>> sorted(hit.path for hit in collection.search("walk_1.mp4", top=10))
        ['run_1.mp4', 'run_2.mp4', 'walk_1_copy.mp4', 'walk_2.mp4']
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        settings = read_settings(self.path)
        self.folder = Path(settings["folder"])
        self.window, self.stride = settings["window"], settings["stride"]
        self._table = WindowTable(self.path)
        if not self._table.is_whole:
            raise FileNotFoundError(
                f"The index {path} is not finished: run the command that created it again to "
                "continue."
            )

    # Building

    @classmethod
    def index(
        cls,
        folder: str | Path,
        path: str | Path,
        network: Network | None = None,
        window: float | None = None,
        stride: float | None = None,
        num_workers: int = 0,
    ) -> Changes:
        """Update an index for a folder of videos, or create it.

        New videos are added, changed ones (by size or date) renewed, and deleted ones dropped.
        The same call continues a killed run. Until the update ends, searches see the previous
        state.

        Args:
            folder: Folder of the videos, including subfolders.
            path: Folder of the index.
            network: Network to embed the videos; by default that of the index.
            window: Length of a window in seconds; by default that of the index, or 4.
            stride: Time from the start of one window to the next, in seconds; by default that of
                the index, or 2.
            num_workers: Number of decoding processes; 0 decodes in this one. With processes, a
                script needs ``if __name__ == "__main__":``.

        Raises:
            FileNotFoundError: If the folder has no video, or there is no network.
            ValueError: If the index is of another folder, network, window or stride.
            BlockingIOError: If another process writes to this index.
            ImportError: If LanceDB is not installed.
        """
        return update_index(
            Path(folder).resolve(), Path(path), network, window, stride, num_workers
        )

    # Reading

    @cached_property
    def rows(self) -> pyarrow.Table:
        """All windows, sorted by path and start, with the columns of :class:`WindowTable`."""
        rows = self._table.read()
        if not len(rows):
            raise ValueError(f"The index {self.path} is empty: add videos by `slic index`.")
        return rows

    @cached_property
    def vectors(self) -> np.ndarray:
        """Vectors of all windows (N, D) float32."""
        column = self.rows["vector"].combine_chunks()
        return column.values.to_numpy(zero_copy_only=False).reshape(-1, column.type.list_size)

    @cached_property
    def paths(self) -> list[str]:
        """Path of each window's video, relative to ``folder``."""
        return self.rows["path"].to_pylist()

    def column(self, name: str) -> np.ndarray:
        """Return a numeric column of :attr:`rows` (N,)."""
        return self.rows[name].to_numpy()

    @cached_property
    def network(self) -> Network:
        """The network of all vectors."""
        from .network import Network

        return Network.load(self.path / NETWORK)

    # Asking

    @cached_property
    def searcher(self) -> Searcher:
        """All windows, ready to be searched."""
        return Searcher(
            self.vectors,
            self.paths,
            self.column("start"),
            self.column("end"),
            self.column("cluster"),
        )

    def search(
        self,
        query: str | Path | np.ndarray,
        top: int = 10,
        start: float | None = None,
        end: float | None = None,
    ) -> list[Hit]:
        """Find the moments most similar to a clip by exact cosine, best first, ties by path.

        Args:
            query: A video of this collection, by its path relative to ``folder`` or on the disk,
                whose own windows are not hits; any other video file; or a vector (D,).
            top: Number of hits.
            start: Start of the part of the query to use, in seconds. For a video of this
                collection, the windows whose middle is between ``start`` and ``end`` are used.
            end: End of the part of the query to use, in seconds.

        Raises:
            FileNotFoundError: If the video does not exist.
            ValueError: If it cannot be read, or nothing is between ``start`` and ``end``.
        """
        if isinstance(query, np.ndarray):
            return self.searcher.search(query, top)
        low, high = start or 0.0, np.inf if end is None else end
        if low >= high:
            raise ValueError(f"Nothing lies between start {low:g} s and end {high:g} s.")
        own = self.windows_of(query)
        if own is None:
            if not Path(query).is_file():
                raise FileNotFoundError(f"There is no video {query} on the disk or in the index.")
            return self.searcher.search(self.network.span(Path(query), start, end), top)
        within = windows_between(self.column("start")[own], self.column("end")[own], low, high)
        if not within.any():
            length = self.column("end")[own].max()
            raise ValueError(f"{query} has no moment after {low:g} s: it ends at {length:g} s.")
        chosen = own[within]
        left_out = np.zeros(len(self.paths), dtype=bool)
        left_out[own] = True
        return self.searcher.search(self.vectors[chosen].mean(axis=0), top, left_out)

    def windows_of(self, query: str | Path) -> np.ndarray | None:
        """Find the rows of an indexed video, by either path."""
        names = {str(query)}
        for real in (os.path.abspath, os.path.realpath):
            names.add(Path(os.path.relpath(real(query), real(self.folder))).as_posix())
        own = np.flatnonzero([path in names for path in self.paths])
        return own if len(own) else None

    # Grouping

    def cluster(self, clusterer: Mapping[str, Any] | None = None) -> np.ndarray:
        """Cluster all windows and store the clusters in the index.

        Args:
            clusterer: Config of a clusterer of :mod:`slic_mmaction.clustering`. The default is
                FINCH's finest level with at most one cluster per five videos, or its coarsest.

        Returns:
            Clusters (N,) int64 of the rows, -1 for noise.

        Raises:
            ValueError: If the clusterer cannot be built, there are too few windows for it, or an
                update of the index is not finished.
            BlockingIOError: If another process writes to this index.
        """
        with alone(self.path):
            self._table = WindowTable(self.path)
            if not self._table.is_published:
                raise ValueError(
                    f"The last update of the index {self.path} is not finished: run `slic index` "
                    "again before clustering."
                )
            for name in ("rows", "vectors", "paths"):  # of before the last update
                self.__dict__.pop(name, None)
            cluster = cluster_windows(self.vectors, len(set(self.paths)), clusterer)
            distance = distances_to_means(self.vectors, cluster)
            self._table.write_clusters(self.rows, cluster, distance)
        for name in ("rows", "searcher"):
            self.__dict__.pop(name, None)
        return cluster

    def assign(self, folder: str | Path, num_workers: int = 0) -> list[Assignment]:
        """Find the cluster of this collection for each video of another folder.

        Args:
            folder: Folder of videos, which are embedded but not added.
            num_workers: Number of decoding processes; 0 decodes in this one.

        Raises:
            FileNotFoundError: If the folder has no video.
            ValueError: If this collection has no clusters yet.
        """
        found, others = scan_folder(Path(folder))
        if not found:
            raise FileNotFoundError(f"{folder} holds no videos (skipped: {count_others(others)}).")
        judge = ClusterJudge(self.vectors, self.paths, self.column("cluster"))
        assigned = []
        with progress_bar("embedding videos", len(found)) as advance:
            for name, _, vectors, last in self.network.windows(
                Path(folder), found, self.window, self.stride, num_workers
            ):
                assigned.append(judge.assign(name, vectors, last.error))
                advance()
        return sorted(assigned)

    def duplicates(self, neighbors: int = 10, num_workers: int = 0) -> Duplicates:
        """Find groups of near-duplicate videos, such as re-encoded, trimmed or mirrored copies.

        Every video is decoded once and compared with its nearest neighbours. What is compared is
        stored in the index for the next call. No file is changed.

        Args:
            neighbors: Number of nearest neighbours to compare each video with, by vectors and by
                appearance.
            num_workers: Number of decoding processes; 0 decodes in this one.

        Raises:
            FileNotFoundError: If no video can be read.
        """
        from .duplicates import find_duplicates
        from .footage_table import FootageTable

        sizes = dict(zip(self.paths, self.column("size").tolist()))
        table = FootageTable(self.path)
        return find_duplicates(
            self.folder, sizes, self.paths, self.vectors, table, neighbors, num_workers
        )

    # Writing elsewhere

    def export(self, path: str | Path) -> list[Path]:
        """Write all windows as ``.parquet``, ``.csv`` (without vectors) or ``.npy``.

        ``NAME.npy`` has the vectors (N, D), and ``NAME.txt`` path, start and end of each row.

        Returns:
            Paths of the files.

        Raises:
            ValueError: If the suffix is unknown.
        """
        return export_windows(self.rows, self.vectors, Path(path))
