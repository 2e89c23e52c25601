"""Reading the folder of a training: config, log, scalars, clusterings and evaluations."""

from __future__ import annotations

import json
import os
import re
import socket
import zipfile
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from mmengine.config import Config

from ..clustering.quality import cluster_quality, cluster_stability
from ..durable_file import is_running
from ..evaluation.records import EVALUATION, RUN_RECORD
from ..progress import progress_bar
from .cluster_flows import Clustering, matched
from .scalars import Series, read_scalars

_STAMP = re.compile(r"^(\d{4}/\d\d/\d\d \d\d:\d\d:\d\d) - ", re.MULTILINE)
_FACT = re.compile(r"^    (\w[\w. ]*): (.+)$", re.MULTILINE)
_NO_FACTS = {"PyTorch compiling details", "numpy_random_seed", "MUSA available"}


class Run(NamedTuple):
    """A training, finished or not.

    Attributes:
        folder: Folder of ``slic pretrain``, or the same as ``work_dir``.
        work_dir: Work directory of MMEngine.
        config: Config of the run; empty if the folder has none.
        config_file: Config file to repeat the run; None if there is none.
        config_text: Text of the whole config, as written by MMEngine.
        series: Scalars by name and epoch, including figures computed from the clusterings.
        clusterings: Clusterings in the order of epochs.
        evaluations: ``evaluation.json`` of every start with a validation or test.
        environment: Recorded versions, devices, seed and code.
        begun: Time of the first start; None without a log.
        seconds: Total time of all starts.
        last_sign: Time of the last line of the log; None without a log.
        process: ``'alive'``, ``'gone'``, or ``''`` if unknown on this machine.
    """

    folder: Path
    work_dir: Path
    config: Config
    config_file: Path | None
    config_text: str
    series: Series
    clusterings: list[Clustering]
    evaluations: list[dict[str, Any]]
    environment: dict[str, str]
    begun: datetime | None
    seconds: float
    last_sign: datetime | None
    process: str

    @property
    def epoch(self) -> int:
        """Number of the last epoch, which may be unfinished."""
        return int(max(self.series.get("loss") or self.series.get("lr") or {0: 0}))

    @property
    def max_epochs(self) -> int | None:
        """Planned number of epochs."""
        return (self.config.get("train_cfg") or {}).get("max_epochs")

    @property
    def finished(self) -> bool:
        """Whether all planned epochs are finished."""
        last = self.work_dir / "last_checkpoint"
        saved = (
            re.search(r"epoch_(\d+)\.pth$", last.read_text().strip()) if last.is_file() else None
        )
        ended = int(saved[1]) if saved else self.epoch
        return self.max_epochs is not None and min(self.epoch, ended) >= self.max_epochs

    @property
    def dataset(self) -> Mapping[str, Any]:
        """Config of the dataset that lists the training videos."""
        dataset = (self.config.get("train_dataloader") or {}).get("dataset") or {}
        while isinstance(dataset.get("dataset"), dict):
            dataset = dataset["dataset"]
        return dataset

    @property
    def videos_folder(self) -> str:
        """Folder of the training videos in the config; empty if there is none."""
        prefixes = (self.dataset.get("data_prefix") or {}).values()
        return next((str(prefix) for prefix in prefixes if prefix), "")

    def find(self, path: str) -> Path:
        """Resolve a path of the config, which may be relative to the folder of the start."""
        for start in (Path(), *self.work_dir.resolve().parents):
            if (start / path).exists():
                return start / path
        return Path(path)


def read_run(folder: str | Path) -> Run:
    """Read the folder of ``slic pretrain``, or a work directory of ``tools/train.py``.

    Raises:
        FileNotFoundError: If the folder does not exist.
        ValueError: If the folder has no training, or a file in it is damaged.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"There is no folder {folder}.")
    work_dir = folder / "training" if (folder / "training").is_dir() else folder
    starts = sorted(p for p in work_dir.glob("[0-9]*_[0-9]*") if any(p.glob("*.log")))
    if not starts:
        raise ValueError(
            f"{folder} holds no training: give the folder of `slic pretrain`, or a work directory "
            "of tools/train.py."
        )
    # Tests in the same folder also write logs.
    trained = [start for start in starts if _has_trained(start)] or starts[-1:]
    logs = [next(start.glob("*.log")).read_text(errors="replace") for start in trained]
    stamps = [[_moment(text) for text in _STAMP.findall(log)] for log in logs]
    own = [folder / "config.py"] if work_dir != folder else sorted(work_dir.glob("*.py"))
    own = list(filter(Path.is_file, own))
    dumped = next(filter(Path.is_file, [trained[-1] / "vis_data" / "config.py", *own]), None)
    text = dumped.read_text(errors="replace") if dumped else ""
    # A test with another config also writes its config to the folder.
    same = [path for path in own if path.read_text(errors="replace") == text]
    config_file = next(iter([*same, *own]), None)
    clusterings = list(_clusterings(work_dir))
    series = read_scalars(work_dir) if any(work_dir.glob("*/vis_data/scalars.json")) else {}
    _add_clusterings(series, clusterings)
    return Run(
        folder,
        work_dir,
        Config.fromfile(dumped, import_custom_modules=False) if dumped else Config(),
        config_file,
        text,
        series,
        clusterings,
        [_json(path) for path in sorted(work_dir.glob(f"*/{EVALUATION}"))],
        dict(_environment(logs[-1], trained[-1] / RUN_RECORD)),
        min((times[0] for times in stamps if times), default=None),
        sum((times[-1] - times[0]).total_seconds() for times in stamps if times),
        max((times[-1] for times in stamps if times), default=None),
        _process(work_dir / ".training"),
    )


def _has_trained(start: Path) -> bool:
    scalars = start / "vis_data" / "scalars.json"
    return scalars.is_file() and '"epoch": ' in scalars.read_text()


def _moment(text: str) -> datetime:
    return datetime.strptime(text, "%Y/%m/%d %H:%M:%S")


def _clusterings(work_dir: Path) -> Iterator[Clustering]:
    files = [p for p in work_dir.glob("pseudo_labels/epoch_*.npz") if p.stem[6:].isdecimal()]
    with progress_bar("reading clusterings", len(files)) as advance:
        for path in sorted(files, key=lambda path: int(path.stem[6:])):
            try:
                with np.load(path) as saved:
                    yield Clustering(int(saved["epoch"]), saved["labels"], saved["videos"])
            except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
                raise ValueError(f"{path} is damaged ({error}): remove it.") from error
            advance()


def _add_clusterings(series: Series, clusterings: list[Clustering]) -> None:
    for i, clustering in enumerate(clusterings):
        figures = cluster_quality(clustering.labels)
        if i:
            figures["stability"] = cluster_stability(*matched(clusterings[i - 1], clustering))
        for name, value in figures.items():
            series.setdefault(f"cluster/{name}", {})[clustering.epoch] = value


def _environment(log: str, record: Path) -> Iterator[tuple[str, str]]:
    _, _, text = log.partition("System environment:")
    for name, value in _FACT.findall(text.partition("Runtime environment:")[0]):
        if name not in _NO_FACTS:
            yield {"sys.platform": "platform"}.get(name, name), value
    known = _json(record) if record.is_file() else {}
    for key, name in (("world_size", "processes"), ("seed", "seed"), ("commit", "code")):
        if known.get(key) is not None:
            yield name, str(known[key])
    if known.get("origin"):
        yield "initial weights", str(known["origin"].get("file"))


def _json(path: Path) -> dict[str, Any]:
    try:
        return dict(json.loads(path.read_text()))
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}): remove it.") from error


def _process(lock: Path) -> str:
    """Return the state of the training's process from the file of DurableCheckpointHook."""
    found = re.fullmatch(r"process (\d+) on (.+)", lock.read_text()) if lock.is_file() else None
    if found is None or found[2] != socket.gethostname():
        return ""
    return "alive" if int(found[1]) != os.getpid() and is_running(int(found[1])) else "gone"
