"""Records of a result's origin: the training, its code, and the videos and clips evaluated.

``run_record.json`` and ``evaluation.json`` are beside the log of a run;
``tools/analysis/results.py`` reads them.
"""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from collections import Counter
from numbers import Real
from pathlib import Path
from typing import Any

from mmengine.config import Config
from mmengine.model import BaseModel, is_model_wrapper
from mmengine.runner import Runner

from ..datasets.videos import annotation_files
from ..durable_file import durable_file
from ..version import __version__
from .extract import parts_of
from .fingerprint import weights_hash
from .gallery_metric import GalleryMetric
from .results import chance_levels

RUN_RECORD = "run_record.json"
EVALUATION = "evaluation.json"

# Keys, at any depth, that do not change a training: machine, folders, seed and monitoring.
_DETAILS = {
    *("data_prefix", "num_workers", "out_file", "path", "persistent_workers", "seed"),
    *("val_begin", "val_interval"),
}
_TRAINING = (
    "auto_scale_lr",
    "custom_hooks",
    "model",
    "optim_wrapper",
    "param_scheduler",
    "train_cfg",
    "train_dataloader",
)


def evaluation_of(runner: Runner, part: str, figures: dict[str, float]) -> dict[str, Any]:
    """Return the figures of a ``'val'`` or ``'test'`` part with chance levels and protocol.

    Chance levels have the unit of the figures: percent for this package's metrics, fractions for
    MMAction2's accuracies.
    """
    loop = runner.val_loop if part == "val" else runner.test_loop
    metrics = [m for m in loop.evaluator.metrics if isinstance(m, GalleryMetric)]
    real = {k: float(v) for k, v in figures.items() if isinstance(v, Real)}
    chance: dict[str, float] = {}
    for metric in metrics:
        chance |= metric.chance
    num_classes = getattr(getattr(_model(runner), "cls_head", None), "num_classes", None)
    if not metrics and num_classes:
        classes = Counter(range(num_classes))
        chance = {k: level / 100 for k, level in chance_levels(real, classes, classes).items()}
    return dict(
        **(metrics[0].measured if metrics else {}),
        **{
            role or "videos": dict(ann_file=annotation_files(videos), videos=len(videos))
            for role, videos in parts_of(loop.dataloader.dataset).items()
        },
        seeds=[metric.seed for metric in metrics if hasattr(metric, "seed")],
        figures=real,
        chance=chance,
        details={metric.prefix: metric.details for metric in metrics},
    )


def write_evaluation(runner: Runner, part: str, figures: dict[str, float]) -> None:
    """Write ``evaluation.json``, which shows whether the figures of two runs may be compared.

    Called after a ``'val'`` or ``'test'`` part. Each validation replaces the last one.
    """
    evaluation = evaluation_of(runner, part, figures)
    record = dict(
        part=part,
        epoch=runner.epoch if part == "val" else None,
        # None for weights that this run has trained.
        checkpoint=None if runner.iter else runner.cfg.get("load_from"),
        checkpoint_hash=weights_hash(_model(runner), evaluation.get("feature")),
        config=runner.cfg.filename,
        **evaluation,
    )
    write_json(Path(runner.log_dir) / EVALUATION, record)


def _model(runner: Runner) -> BaseModel:
    return runner.model.module if is_model_wrapper(runner.model) else runner.model


def write_json(path: Path, record: dict[str, Any]) -> None:
    """Write a JSON record atomically."""
    with durable_file(path) as file:
        file.write((json.dumps(record, indent=1) + "\n").encode())


def training_hash(cfg: Config) -> str:
    """Compute a hash of a training's settings, equal for two configs that train in the same way.

    The hash has eight hexadecimal digits. It does not depend on seeds, folders, loaded
    checkpoints, the machine, the evaluation or the variables of a config file.
    """
    return _digest(_settings(cfg))


def training_family(cfg: Config) -> str:
    """Compute a :func:`training_hash` that is equal for all splits of a dataset."""
    return _digest(re.sub(r"split_?\d", "split", _settings(cfg)))


def code_version(folder: Path = Path(__file__).parent) -> str:
    """Return the commit of the code in a folder, with ``+changes`` if tracked files were changed.

    Outside a git repository, return ``v`` and the version of this package.
    """
    commit = _git(folder, "rev-parse", "--short=10", "HEAD")
    if commit is None:
        return f"v{__version__}"
    return f"{commit}+changes" if _git(folder, "status", "--porcelain", "-uno") else commit


def experiment_name(config_file: str | None, name: str) -> str:
    """Return the config's path in ``configs/``, or MMEngine's experiment name without the time."""
    if not config_file:
        return re.sub(r"_\d{8}_\d{6}$", "", name)
    parts = Path(config_file).with_suffix("").parts
    if "configs" in parts:
        parts = parts[len(parts) - parts[::-1].index("configs") :]
        return "/".join(parts)
    return parts[-1]


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments], capture_output=True, text=True, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def _settings(cfg: Config) -> str:
    settings = cfg.to_dict()
    read = {key: _without_details(settings[key]) for key in _TRAINING if key in settings}
    return json.dumps(read, sort_keys=True, default=str)


def _without_details(node: Any) -> Any:
    if isinstance(node, dict):
        return {k: _without_details(v) for k, v in node.items() if k not in _DETAILS}
    if isinstance(node, (list, tuple)):
        return [_without_details(child) for child in node]
    return node


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
