"""Summary of a training in sentences, and commands to continue it."""

from __future__ import annotations

import math
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..evaluation.results import kind_of, results_of
from ..hooks.plain_report_hook import standstill
from ..progress import duration
from .page import count_of
from .run_folder import Run


def sentences(run: Run) -> Iterator[str]:
    """Yield sentences on the network, the videos, the state and the results of a training."""
    videos = f"{len(run.clusterings[-1].labels)} videos" if run.clusterings else "videos"
    folder = run.videos_folder or run.dataset.get("ann_file") or "a folder that is not recorded"
    yield f"{_network(run.config)} on {videos} of {folder}."
    yield _state(run)
    losses = list(run.series.get("loss", {}).values())
    if not losses:
        yield "No loss has been logged yet."
        return
    words = [_went("loss", losses)]
    # The triplet loss is a mean over violating negatives only, and their share falls.
    shares = list(run.series.get("violating_share", {}).values()) or [1.0] * len(losses)
    still = standstill([a * b for a, b in zip(losses, shares)], run.max_epochs or len(losses))
    if still:
        words.append(
            f"It has not fallen for {still} epochs: the training has probably converged, and more "
            "epochs will hardly help."
        )
    spread = [1 - value for value in run.series.get("mean_cosine", {}).values()]
    if spread:
        words.append(f"{_went('spread of the embeddings', spread)} (0: all alike).")
    if run.clusterings:
        last = run.clusterings[-1]
        sizes = np.unique(last.labels[last.labels >= 0], return_counts=True)[1]
        of = f", the largest of {sizes.max()}" if len(sizes) else ""
        agreement = run.series.get("cluster/stability", {}).get(last.epoch)
        same = "" if agreement is None else (
            f"; they agree with the clusters before by {agreement:.2f} of 1"
        )  # fmt: skip
        once = "" if len(run.clusterings) > 1 else f", made once, before epoch {last.epoch + 1}"
        words.append(f"The last clustering has {count_of(len(sizes), 'cluster')}{of}{same}{once}.")
    yield " ".join(words)
    for record in [r for r in run.evaluations if r.get("part") == "val" and r["figures"]][-1:]:
        result = next(results_of(record))
        yield f"Validation after epoch {record['epoch']}: {kind_of(record)} {result}."


def _went(what: str, values: list[float]) -> str:
    first, last = values[0], values[-1]
    end = "" if what.startswith("spread") else "."
    if not math.isfinite(last):
        return f"The {what} is no longer finite: the training has diverged{end}"
    if last == first:
        return f"The {what} is {first:.4g}{end}"
    how = "fell" if last < first else "rose"
    return f"The {what} {how} from {first:.4g} to {last:.4g}{end}"


def _state(run: Run) -> str:
    epoch, planned, time = run.epoch, run.max_epochs, duration(run.seconds)
    if run.process == "alive":
        return f"It is still running, in epoch {max(1, epoch)} of {planned}, for {time} so far."
    if run.finished:
        return f"It is finished: {count_of(epoch, 'epoch')} in {time}."
    ended = "It has stopped" if run.process == "gone" else "It is not finished"
    seen = f"; its log ends at {run.last_sign:%Y-%m-%d %H:%M}" if run.last_sign else ""
    return f"{ended}, in epoch {epoch} of {planned or '?'}, after {time}{seen}."


def _network(config: Mapping[str, Any]) -> str:
    model = config.get("model") or {}
    backbone, head = model.get("backbone") or {}, model.get("cls_head") or {}
    kind = str(backbone.get("type", "A network")).rpartition(".")[2]
    details = [
        f"{label} {backbone[key]}"
        for key, label in (("depth", "depth"), ("base_channels", "base channels"))
        if isinstance(backbone.get(key), int)
    ]
    losses = [str(loss.get("type", "")) for loss in head.get("losses") or []]
    trained = f", trained with {' and '.join(losses)}" if losses else ", trained"
    return kind + (f" ({', '.join(details)})" if details else "") + trained


def commands(run: Run) -> Iterator[str]:
    """Yield commands to repeat, continue, evaluate and use a training, each after a comment."""

    def command(*words: object) -> str:
        return shlex.join(map(str, words))

    folder, work_dir = run.folder.resolve(), run.work_dir.resolve()
    config = run.config_file.resolve() if run.config_file else "CONFIG"
    pretrained = run.folder != run.work_dir
    videos = run.videos_folder or "FOLDER"
    yield "# run it again in another folder"
    yield command("python", "tools/train.py", config, "--work-dir", "NEW")
    if not run.finished:
        yield "# continue where it stopped"
        if pretrained:
            yield command("slic", "pretrain", videos, "--out", folder, "--resume")
        else:
            yield command("python", "tools/train.py", config, "--work-dir", work_dir,
                          "--resume")  # fmt: skip
    last = f"{work_dir}/epoch_{run.epoch}.pth"
    if run.config.get("test_evaluator") and Path(last).is_file():
        yield "# evaluate"
        yield command("python", "tools/test.py", config, last)
    yield "# search, cluster and look at videos with this network"
    yield command("slic", "index", videos, "--with", folder, "--out", folder / "index")
    yield "# this page"
    yield command("slic", "report", folder)
