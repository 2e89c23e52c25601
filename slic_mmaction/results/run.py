"""Runs on disk as results: one number, and everything that must be said with it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..visualization.scalars import read_scalars
from .protocol_of import Setting, setting_of
from .provenance import FILE_NAME, config_family, config_hash, experiment_name

# Logged by hooks and metrics, but no result of an evaluation.
_NO_RESULT = ("cluster/",)
_CHOSEN = ("lr", "weight_decay")
# Named by MMAction2, not by protocol: the protocol is what the config's pipeline does.
_ACCURACIES = ("acc", "finetune")


@dataclass(frozen=True)
class Result:
    """One number of one run.

    Attributes:
        method: Names of the runs that made the weights, in order.
        families: Their experiments, the same for all splits.
        hashes: Their experiments.
        epoch: Epochs of the last of them, None if unknown.
        seeds: Their seeds, then those of the evaluation.
        data: Data set evaluated.
        split: Its split, ``'-'`` without one.
        videos: Number of videos evaluated, None if unknown.
        protocol: Kind of evaluation and views of a video, ``'retrieval/iic'``.
        metric: Name of the number, ``'R@1'``.
        value: The number.
        commits: Code of all runs.
        folder: Where it was read.
    """

    method: tuple[str, ...]
    families: tuple[str, ...]
    hashes: tuple[str, ...]
    epoch: int | None
    seeds: tuple[int | None, ...]
    data: str
    split: str
    videos: int | None
    protocol: str
    metric: str
    value: float
    commits: tuple[str, ...]
    folder: str


def read_results(work_dirs: Iterable[str | Path]) -> list[Result]:
    """All results below some work directories.

    A test run has the values it ended with. A training run has those of its last validation;
    of several starts of one run the one that went farthest counts.

    Args:
        work_dirs (Iterable[str | Path]): Searched at any depth.

    Raises:
        FileNotFoundError: If one does not exist.
        ValueError: If there is no run below it, or a file of a run is damaged.
    """
    tests: list[Result] = []
    trainings: list[Result] = []
    for work_dir in map(Path, work_dirs):
        if not work_dir.is_dir():
            raise FileNotFoundError(f"There is no work directory {work_dir}.")
        folders = sorted(path.parent.parent for path in work_dir.rglob("vis_data/config.py"))
        if not folders:
            raise ValueError(
                f"There is no run below {work_dir}: a run has TIMESTAMP/vis_data/config.py, "
                "written by LocalVisBackend."
            )
        for folder in dict.fromkeys(folders):
            tested = folder / f"{folder.name}.json"
            if tested.is_file():
                tests.extend(_read_run(folder, "test", _read_json(tested), None))
            else:
                trainings.extend(_read_run(folder, "val", *_last_validation(folder)))
    return _last_of_each_training(trainings) + tests


def _read_run(
    folder: Path, part: str, logged: dict[str, Any], epoch: int | None
) -> Iterator[Result]:
    cfg = Config.fromfile(folder / "vis_data" / "config.py", import_custom_modules=False)
    values = {key: value for key, value in logged.items() if _is_result(key, value)}
    if not values or not cfg.get(f"{part}_dataloader"):
        return
    own = _record_of(folder, cfg)
    setting = setting_of(cfg, f"{part}_dataloader")
    chain = list(_origins(own))
    # A test trains nothing. Without weights of another run it judges its own random ones.
    trained = chain if part == "val" else chain[:-1]
    seeds = [run.get("seed") for run in trained or chain]
    for key, value in values.items():
        yield Result(
            method=tuple(run["name"] for run in trained) or ("random weights",),
            families=tuple(run.get("family", run.get("file", "-")) for run in trained),
            hashes=tuple(run.get("config_hash", run.get("file", "-")) for run in trained),
            epoch=trained[-1].get("epoch") if trained and epoch is None else epoch,
            seeds=(*seeds, *_seeds_in(cfg.get(f"{part}_evaluator"))),
            data=setting.data,
            split=setting.split,
            videos=own.get(f"{part}_videos"),
            protocol=_protocol_of(key, setting),
            metric=key.rsplit("/", 1)[1],
            value=float(value),
            commits=tuple(dict.fromkeys(run.get("commit", "-") for run in chain)),
            folder=str(folder),
        )


def _record_of(folder: Path, cfg: Config) -> dict[str, Any]:
    """The record of a run, or what its config tells of one that has none."""
    path = folder / FILE_NAME
    if path.is_file():
        return _read_json(path)
    dumped = next(iter(sorted(folder.parent.glob("*.py"))), None)
    loaded = cfg.get("load_from")
    return dict(
        name=experiment_name(None, dumped.stem if dumped else folder.parent.name),
        config_hash=config_hash(cfg),
        family=config_family(cfg),
        seed=(cfg.get("randomness") or {}).get("seed"),
        origin=dict(name="/".join(Path(loaded).parts[-2:]), file=loaded) if loaded else None,
    )


def _origins(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A run after all runs whose weights it began with, the first one first."""
    if record.get("origin"):
        yield from _origins(record["origin"])
    yield record


def _last_validation(folder: Path) -> tuple[dict[str, float], int | None]:
    path = folder / "vis_data" / "scalars.json"
    if not path.is_file():
        return {}, None
    series = {k: v for k, v in read_scalars(path).items() if "/" in k and _is_result(k, 0.0)}
    last = max((max(values) for values in series.values()), default=None)
    if last is None:
        return {}, None
    return {key: values[last] for key, values in series.items() if last in values}, int(last)


def _is_result(key: str, value: Any) -> bool:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    chosen = key.rsplit("/", 1)[-1] in _CHOSEN
    return is_number and "/" in key and not chosen and not key.startswith(_NO_RESULT)


def _protocol_of(key: str, setting: Setting) -> str:
    """Kind and protocol; a key that names no protocol gets the config's."""
    kind, *named = key.split("/")[:-1]
    if kind in _ACCURACIES or not named:
        named = [setting.views] if setting.views else named
    elif setting.views.startswith(named[0]):
        # The metric does not see the size of the crop.
        named[0] = setting.views
    return "/".join([kind, *named])


def _seeds_in(node: Any) -> Iterator[int]:
    """Seeds of an evaluator (a linear probe has one)."""
    if isinstance(node, dict):
        for key, value in node.items():
            if key == "seed":
                yield value
            else:
                yield from _seeds_in(value)
    elif isinstance(node, (list, tuple)):
        for child in node:
            yield from _seeds_in(child)


def _last_of_each_training(results: Sequence[Result]) -> list[Result]:
    """Of several starts in one work directory keep the one with the most epochs."""
    farthest: dict[tuple, int] = {}
    for result in results:
        farthest[_start_of(result)] = max(farthest.get(_start_of(result), 0), result.epoch or 0)
    return [r for r in results if (r.epoch or 0) == farthest[_start_of(r)]]


def _start_of(result: Result) -> tuple:
    place = str(Path(result.folder).parent)
    return place, result.hashes, result.seeds, result.data, result.split, result.protocol


def _read_json(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text())
    except ValueError as error:
        raise ValueError(f"{path} is not readable JSON ({error}); remove that run.") from error
    if not isinstance(content, dict):
        raise ValueError(f"{path} holds a {type(content).__name__} where a dict was expected.")
    return content
