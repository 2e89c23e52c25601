"""A training config for prepared files, so that the next command needs no editing."""

from __future__ import annotations

from pathlib import Path

from ..durable_file import write_text
from .annotations import STOCK_DELIMITER
from .report import Report, SplitReport

BASE = "slic_r3d_ucf101.py"


def write_config(path: Path, configs: Path, report: Report, train: str, val: str | None) -> None:
    """Write a config that pretrains on prepared files with the paper's settings.

    Paths of data are written as they were given: relative ones hold for commands that are
    run in the same folder as the preparation was.

    Args:
        path (Path): Where to; its name is the name of the experiment.
        configs (Path): The folder ``configs`` of this project.
        report (Report): The result of the preparation.
        train (str): Name of the annotation file to train on.
        val (str | None): Name of the one whose videos are searched for among the training
            videos while training; None for training without validation.
    """
    by_name = {split.split.file_name: split for split in report.splits}
    # Absolute, since `..` out of a data folder that is a link leads elsewhere.
    lines = [
        f"_base_ = {(configs.resolve() / BASE).as_posix()!r}",
        f"train_dataloader = dict(dataset=dict(dataset={_dataset(by_name[train], report)}))",
    ]
    if val is None:
        lines += ["val_dataloader = None", "val_evaluator = None", "val_cfg = None"]
    else:
        query, gallery = _dataset(by_name[val], report), _dataset(by_name[train], report)
        lines.append(f"val_dataloader = dict(dataset=dict(query={query}, gallery={gallery}))")
    write_text(path, "".join(f"{line}\n" for line in lines))


def _dataset(split: SplitReport, report: Report) -> str:
    fields = [
        f"ann_file={str(split.annotations)!r}",
        f"data_prefix=dict(video={str(split.split.videos)!r})",
    ]
    if report.delimiter != STOCK_DELIMITER:
        fields.append(f"delimiter={report.delimiter!r}")
    return f"dict({', '.join(fields)})"
