"""What identifies a training: its settings apart from seed, place and machine, and the code."""

from __future__ import annotations

import hashlib
import json
import re
import subprocess
from pathlib import Path
from typing import Any

from mmengine.config import Config

from ..version import __version__

FILE_NAME = "run_record.json"
"""Where :class:`~slic_mmaction.hooks.RunRecordHook` writes, beside the log of a run."""

# Of the machine, the folder, the seed, or of watching, at any depth: no part of a training.
_DETAILS = {"num_workers", "out_file", "persistent_workers", "seed", "val_begin", "val_interval"}
_TRAINING = (
    "auto_scale_lr",
    "custom_hooks",
    "model",
    "optim_wrapper",
    "param_scheduler",
    "train_cfg",
    "train_dataloader",
)


def config_hash(cfg: Config) -> str:
    """Eight hexadecimal digits that two configs share if they train in the same way.

    Seeds, folders, what is loaded, what belongs to the machine and how results are evaluated
    play no part; neither do the variables of a config file.

    Args:
        cfg (Config): The config of a run.
    """
    return _digest(_settings(cfg))


def config_family(cfg: Config) -> str:
    """Like :func:`config_hash`, the same for all splits of a data set."""
    return _digest(re.sub(r"split_?\d", "split", _settings(cfg)))


def code_version(folder: Path = Path(__file__).parent) -> str:
    """Commit of this code, with ``+changes`` where files differ from it.

    Args:
        folder (Path): A folder of the checkout. Defaults to this package's.

    Returns:
        str: Ten digits of the commit; ``v`` and the version of a package outside git.
    """
    commit = _git(folder, "rev-parse", "--short=10", "HEAD")
    if commit is None:
        return f"v{__version__}"
    return f"{commit}+changes" if _git(folder, "status", "--porcelain", "-uno") else commit


def experiment_name(config_file: str | None, name: str) -> str:
    """What a run is called: its config below ``configs/``, else MMEngine's name for it.

    Args:
        config_file (str | None): Path of the config file.
        name (str): MMEngine's name, the config's with a time.
    """
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
