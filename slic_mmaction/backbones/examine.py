"""One config of ``configs/backbones`` examined: what it is, and whether it runs."""

from __future__ import annotations

import datetime
import hashlib
import json
import platform
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from mmengine.config import Config

from ..evaluation.records import code_version
from .figures import (
    build_recognizer,
    clip_size,
    count_parameters,
    embedded_clip,
    forward_seconds,
    pseudo_label_hook,
)
from .required import missing_package
from .trial import small_run, try_pretraining, try_retrieval


@dataclass
class Row:
    """What is known of a config.

    Attributes:
        config: File name without suffix.
        backbone: Type of the backbone.
        fingerprint: Of backbone and clips, see :func:`fingerprint`.
        width: Channels of the pooled feature.
        parameters: Of the backbone.
        frames: Of the clip it was timed with.
        pixels: Height of that clip.
        forward_seconds: Processor time for that clip.
        losses: Loss of each iteration of the trial.
        retrieval: Metrics of the trial.
        missing: The package to install, None if nothing is missing.
        problems: What went wrong, by ``'figures'``, ``'pretraining'`` or ``'retrieval'``.
        date: When it was examined (UTC).
        commit: Of this code.
        torch: Its version.
        machine: The processor.
    """

    config: str
    backbone: str
    fingerprint: str
    width: int | None = None
    parameters: int | None = None
    frames: int | None = None
    pixels: int | None = None
    forward_seconds: float | None = None
    losses: list[float] = field(default_factory=list)
    retrieval: dict[str, float] = field(default_factory=dict)
    missing: str | None = None
    problems: dict[str, str] = field(default_factory=dict)
    date: str = ""
    commit: str = ""
    torch: str = ""
    machine: str = ""


def fingerprint(cfg: Config) -> str:
    """Eight hexadecimal digits of what a row depends on: the network and the clip it gets.

    Args:
        cfg (Config): Of ``configs/backbones``.
    """
    model = cfg.model.to_dict()
    seen = [model["backbone"], model.get("neck"), pseudo_label_hook(cfg)["pipeline"]]
    return hashlib.sha256(json.dumps(seen, sort_keys=True).encode()).hexdigest()[:8]


def config_paths(folder: Path) -> dict[str, Path]:
    """Configs that have a row, by name; those of narrower networks have none.

    Args:
        folder (Path): ``configs/backbones``.
    """
    paths = sorted(folder.glob("slic_*_ucf101.py"))
    return {path.stem: path for path in paths if "_slim_" not in path.stem}


def describes(row: Row, cfg: Config) -> bool:
    """Whether a row is of this network with these clips."""
    return (row.backbone, row.fingerprint) == (cfg.model.backbone.type, fingerprint(cfg))


def is_settled(row: Row, cfg: Config) -> bool:
    """Whether examining the config here could say nothing more than the row does."""
    installed = row.missing is not None and missing_package(row.backbone) is None
    return describes(row, cfg) and not row.problems and not installed


def examine(path: Path, overrides: dict[str, Any], clip: tuple[int, int], videos: Path) -> Row:
    """Measure a config's backbone with one thread, then try pretraining and retrieval.

    Args:
        path (Path): A config.
        overrides (dict): What makes its network small for the trial.
        clip (tuple[int, int]): Frames and pixels of the trial.
        videos (Path): Folder with ``train.txt`` and ``test.txt``, lines ``path label``.

    Returns:
        Row: Errors of the config or its backbone are in ``problems``.
    """
    torch.set_num_threads(1)
    torch.manual_seed(0)
    cfg = Config.fromfile(path)
    row = Row(
        config=path.stem,
        backbone=cfg.model.backbone.type,
        fingerprint=fingerprint(cfg),
        missing=missing_package(cfg.model.backbone.type),
        date=datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"),
        commit=code_version(),
        torch=torch.__version__,
        machine=processor(),
    )
    if row.missing is None and _attempt(row, "figures", lambda: _measure(row, cfg, videos)):
        with tempfile.TemporaryDirectory() as folder:
            small = small_run(Config.fromfile(path), overrides, clip, videos, Path(folder))
            # Retrieval starts from the checkpoint that pretraining writes.
            _attempt(row, "pretraining", lambda: row.losses.extend(try_pretraining(small)))
            if "pretraining" not in row.problems:
                _attempt(row, "retrieval", lambda: row.retrieval.update(try_retrieval(small)))
    return row


def processor() -> str:
    """Name of this machine's processor."""
    names = Path("/proc/cpuinfo")
    if names.is_file():
        for line in names.read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()


def _measure(row: Row, cfg: Config, videos: Path) -> None:
    recognizer = build_recognizer(cfg)
    first = (videos / "train.txt").read_text().split(maxsplit=1)[0]
    clip = embedded_clip(cfg, recognizer, videos / first)
    row.width = recognizer.cls_head.in_channels
    row.parameters = count_parameters(recognizer)
    row.frames, row.pixels = clip_size(clip.shape)
    row.forward_seconds = forward_seconds(recognizer, clip)


def _attempt(row: Row, stage: str, work: Callable[[], object]) -> bool:
    try:
        work()
    except Exception as error:  # Whatever it is: it is this row's result.
        row.problems[stage] = f"{type(error).__name__}: {' '.join(str(error).split())}"
    return stage not in row.problems
