"""The neighbours found by a retrieval, on disk: what a gallery picture is drawn from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from ..durable_file import durable_file


@dataclass(frozen=True)
class RetrievalNeighbors:
    """The nearest gallery videos of every query.

    Attributes:
        query_videos: (Q,) str, paths.
        query_labels: (Q,) int64.
        gallery_videos: (G,) str, paths.
        gallery_labels: (G,) int64.
        indices: (Q, K) int64 positions in the gallery, nearest first.
        similarities: (Q, K) float64 cosines.
    """

    query_videos: np.ndarray
    query_labels: np.ndarray
    gallery_videos: np.ndarray
    gallery_labels: np.ndarray
    indices: np.ndarray
    similarities: np.ndarray

    @property
    def hits(self) -> np.ndarray:
        """(Q, K) bool, whether a neighbour is of its query's class."""
        return self.gallery_labels[self.indices] == self.query_labels[:, None]

    def save(self, path: str | Path) -> None:
        """Write an ``.npz`` with the attributes by name; it appears whole or not at all."""
        with durable_file(path) as file:
            np.savez_compressed(file, **asdict(self))

    @classmethod
    def load(cls, path: str | Path) -> RetrievalNeighbors:
        """Read what :meth:`save` wrote.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is another ``.npz``, or damaged.
        """
        try:
            # Objects that an .npz may hold are never unpickled. NumPy leaves a file open that it
            # cannot read.
            with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
                found = {name: arrays[name] for name in arrays.files}
        except FileNotFoundError:
            raise
        except Exception as error:  # NumPy, zipfile and zlib each have their own
            raise ValueError(
                f"{path} cannot be read ({error}): let VideoRetrievalMetric write its out_file "
                "again."
            ) from error
        names = [field.name for field in fields(cls)]
        missing = [name for name in names if name not in found]
        if missing:
            raise ValueError(
                f"{path} has no {', '.join(missing)}: it was not written by "
                "VideoRetrievalMetric's out_file."
            )
        return cls(**{name: found[name] for name in names})
