"""Computing the features of a list of videos, each rank its share, and storing them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mmengine.dataset import pseudo_collate
from mmengine.dist import get_dist_info, is_main_process
from mmengine.logging import print_log
from mmengine.model import BaseModel
from mmengine.runner import autocast
from rich.console import Console
from rich.progress import MofNCompleteColumn, Progress, TimeElapsedColumn, TimeRemainingColumn
from torch.utils.data import DataLoader, Dataset, Subset

from ..models.evaluation_mode import evaluation_mode
from ..ranks import on_main, together
from .clip_features import check_layer, clip_features
from .feature_set import INDEX, FeatureSet, load_features, write_index
from .fingerprint import FeatureKey
from .shards import ShardWriter, read_shards


@dataclass(frozen=True)
class Extraction:
    """How features are computed; only ``layer`` and ``half_precision`` change them.

    Attributes:
        layer: ``'projection'`` or ``'backbone'``.
        batch_size: Videos loaded at once on each rank.
        num_workers: Loader workers of each rank.
        clips_per_pass: Most clips that go through the network at once.
        shard_videos: Videos in a shard, which are what a killed run loses at most on each rank.
        half_precision: Whether the network runs under autocast.
    """

    layer: str
    batch_size: int = 8
    num_workers: int = 2
    clips_per_pass: int = 64
    shard_videos: int = 1024
    half_precision: bool = False


def extract_features(
    model: BaseModel,
    dataset: Dataset,
    indices: Sequence[int],
    names: Sequence[str],
    folder: Path,
    key: FeatureKey,
    how: Extraction,
) -> FeatureSet:
    """Compute what a folder lacks of the features of N videos; every rank must call this.

    The network is put into evaluation mode, BatchNorm included, and its modes are put back. A
    killed run goes on where it was, with any number of ranks; a finished one returns at once.

    Args:
        model (BaseModel): A recognizer, not wrapped for distribution.
        dataset (Dataset): Yields packed inputs and data samples.
        indices (Sequence[int]): (N,) positions in the dataset.
        names (Sequence[str]): (N,) paths, for people and for errors.
        folder (Path): Where shards and index go, seen by all ranks.
        key (FeatureKey): What the features depend on.
        how (Extraction): Layer and sizes.

    Returns:
        FeatureSet: Of all N videos, in the order of ``indices``.

    Raises:
        ValueError: If the folder holds other features, or the network has no such layer.
        RuntimeError: If a rank failed, on every rank.
    """
    check_layer(model, how.layer)
    missing = on_main(lambda: _missing(folder, key, len(names)))
    if missing is not None:
        rank, world_size = get_dist_info()
        todo = missing[rank::world_size]
        together(lambda: _extract(model, dataset, indices, names, folder, key, how, todo))
        on_main(lambda: write_index(folder, names, key, how.layer, list(read_shards(folder))))
    return load_features(folder)


def _missing(folder: Path, key: FeatureKey, count: int) -> list[int] | None:
    """Positions without features; None if there is an index already."""
    if {shard.key for shard in read_shards(folder)} - {key.digest}:
        raise ValueError(
            f"{folder} holds features of other weights, settings or videos: choose another folder, "
            "or delete it."
        )
    if (folder / INDEX).is_file():
        return None
    done = {video for shard in read_shards(folder) for video in shard.videos}
    if done:
        print_log(f"{len(done)} of {count} videos have features already.", logger="current")
    return [video for video in range(count) if video not in done]


def _extract(
    model: BaseModel,
    dataset: Dataset,
    indices: Sequence[int],
    names: Sequence[str],
    folder: Path,
    key: FeatureKey,
    how: Extraction,
    todo: Sequence[int],
) -> None:
    writer = ShardWriter(folder, key.digest, how.shard_videos)
    loader = DataLoader(
        Subset(dataset, [indices[video] for video in todo]),
        batch_size=how.batch_size,
        num_workers=how.num_workers,
        collate_fn=pseudo_collate,
    )
    remaining = iter(todo)
    console = Console(stderr=True)
    shown = is_main_process() and console.is_terminal
    columns = (*Progress.get_default_columns()[:2], MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(*columns, TimeRemainingColumn(), console=console, disable=not shown)
    with evaluation_mode(model), bar as progress:
        task = progress.add_task(f"features ({how.layer})", total=len(todo))
        for batch in loader:
            with autocast(enabled=how.half_precision):
                features = clip_features(model, batch, how.layer, how.clips_per_pass)
            for rows, clips, sample in zip(features, batch["inputs"], batch["data_samples"]):
                video = next(remaining)
                if not rows.isfinite().all():
                    raise ValueError(
                        f"The feature of {names[video]} is not finite: the network has diverged."
                    )
                height, width = clips.shape[-2:]
                writer.add(video, rows.numpy(), sample.get("protocol"), (height, width))
            progress.advance(task, len(features))
        writer.flush()
