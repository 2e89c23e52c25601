"""Pretraining on a folder of videos, with default configs for CPU and GPU."""

from __future__ import annotations

import shlex
import shutil
import tempfile
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import torch
from mmengine.config import Config

from .collection.network import MODEL_FILE, WORK_DIR, Network
from .durable_file import write_text
from .preparation.annotations import write_config
from .preparation.folder import TRAIN, list_videos, match_paths
from .preparation.options import num_cores
from .preparation.prepare import Report, prepare
from .preparation.probing import Settings
from .preparation.summary import dataset_text, list_lines, say
from .preparation.video_files import count_others, printable
from .pseudo_labels.motion import describe_motion
from .runner import QuietRunner

CONFIGS = Path(__file__).parent / ".mim" / "configs"
CONFIG, LISTS = "config.py", "videos"
_ON_CPU, _ON_GPU = "slic_r3d_slim_folder.py", "slic_r3d_ucf101.py"
_VIDEOS_PER_CLUSTER = 1 / 0.0875  # docs/motion.md
_FEW = 5000  # videos; with fewer, pretrained weights are better than training from scratch
_EPOCHS_FROM_WEIGHTS = 10
_BATCH = 32
_WARM_UP, _MEASURED = 2, 6  # steps


def pretrain(
    folder: str | Path,
    out: str | Path,
    backbone: str | None = None,
    init: str | None = None,
    epochs: int | None = None,
    budget: float | None = None,
    resume: bool = False,
) -> Path:
    """Pretrain on all videos of a folder, without labels.

    On a CPU this runs ``configs/slic_r3d_slim_folder.py``: a slim R3D-18, a cache of decoded frames
    and clusters of motion. On a GPU it runs ``configs/slic_r3d_ucf101.py``, the paper's config.
    From given weights it trains with clusters of motion, too, which gained most in
    docs/experiments.md. ``OUT/config.py`` is the config of the run; an edited one is not
    overwritten.

    Args:
        folder: Folder of videos, to which nothing is written.
        out: Folder for lists, config, checkpoints and the network.
        backbone: ``NAME`` of ``configs/backbones/slic_NAME_ucf101.py``, such as ``'slowonly'``.
        init: Path or URL of a checkpoint with this backbone, for the initial weights. They are
            trained by AdamW, with a tenth of the head's learning rate.
        epochs: Number of epochs; None for that of the config, or 10 with ``init``.
        budget: Total time in seconds. The number of epochs is computed from the measured time of
            some steps.
        resume: Whether to continue a training in ``out``, with the config there. Of the other
            arguments only ``epochs`` counts then.

    Returns:
        Path of ``OUT/model.pth``, which :meth:`Network.load` reads.

    Raises:
        FileNotFoundError: If the folder has no videos, or the backbone or weights do not exist.
        ValueError: If there are fewer than two usable videos, or ``out`` has a training and
            ``resume`` is False.
    """
    begin = time.monotonic()
    folder, out = Path(folder).resolve(), Path(out).resolve()
    base = _base_config(backbone)
    if init is not None and "://" not in init and not Path(init).is_file():
        raise FileNotFoundError(f"There is no checkpoint {init} for the initial weights.")
    config = out / CONFIG
    started = config.is_file() and (out / WORK_DIR / "last_checkpoint").is_file()
    if started and not resume:
        raise ValueError(
            f"{out} holds a training: continue it with --resume, or choose another --out."
        )
    again = f"python tools/train.py {shlex.quote(str(config))}"
    if not started:
        if resume:
            say("There is no checkpoint yet: the training starts from the beginning.")
        deadline = None if budget is None else begin + budget
        _prepare(folder, out, base, init, epochs, deadline)
    try:
        cfg = Config.fromfile(config)
    except SyntaxError as error:
        raise ValueError(f"{config}, line {error.lineno}: {error.msg}. Correct it.") from error
    cfg.resume = started
    if started:
        cfg.load_from = None  # MMEngine would resume from these initial weights
        again += " --resume"
        if epochs is not None:
            cfg.train_cfg.max_epochs = epochs
            again += f" --cfg-options train_cfg.max_epochs={epochs}"
        say(f"continuing with {config}, as it is")
    say(f"the same with MMAction2's tools: {again}")
    runner = QuietRunner.from_cfg(cfg)
    runner.train()
    last = (out / WORK_DIR / "last_checkpoint").read_text().strip()
    Network.from_config(cfg, last).save(out / MODEL_FILE)
    return out / MODEL_FILE


def _prepare(
    folder: Path,
    out: Path,
    base: Path,
    init: str | None,
    epochs: int | None,
    deadline: float | None,
) -> None:
    """Check the videos, and write lists and config of a run, unless the config was edited."""
    report = prepare(list_videos(folder), out / LISTS, Settings(num_cores()), match_paths)
    _show(report)
    if report.usable < 2:
        raise ValueError(
            f"{folder} has {report.usable} usable videos, but SLIC needs at least two."
        )
    if init is None and report.usable < _FEW:
        say(f"With {report.usable} videos, a good pretrained network is better than training from "
            "scratch: consider --init (docs/backbones_weights.md).")  # fmt: skip
    by_motion = base.name == _ON_CPU or init is not None
    if by_motion:
        say("Describing the motion in each video, for the clustering:")
        listed = _listed(report)
        videos = [folder / path for path in listed]
        broken, _ = describe_motion(videos, folder, out / "motion.npz", num_cores())
        if broken:
            reasons = dict(line.split("\t", 1) for line in broken)
            list_lines("left out:", (f"{printable(Path(v))}: {why}" for v, why in reasons.items()))
            kept = [line for path, line in listed.items() if str(folder / path) not in reasons]
            write_text(report.out / TRAIN, "".join(f"{line}\n" for line in kept))
            report = report._replace(usable=len(kept))
    config = out / CONFIG
    lines = list(_config_lines(report, out, base, init, by_motion))
    if deadline is not None and write_config(config, base, lines):
        epochs = _epochs_that_fit(config, deadline)
    if epochs is None and init is not None:
        epochs = _EPOCHS_FROM_WEIGHTS
    if epochs is not None:
        lines.append(f"train_cfg = dict(max_epochs={epochs})")
    if not write_config(config, base, lines):
        say(f"{config} was edited and is used unchanged.")
    elif base.name != _ON_CPU and not torch.cuda.is_available():
        say(
            "On a CPU, a batch of this network can need tens of gigabytes. If the training is "
            f"killed, set a smaller train_dataloader.batch_size in {config}, and run the command "
            "again."
        )


def _show(report: Report) -> None:
    say(f"{report.found} videos found, {report.usable} usable: {report.out / TRAIN}")
    if report.others:
        say(f"skipped: {count_others(report.others)}")
    faults = sorted(f"{printable(path)}: {why}" for path, why in report.faults.items())
    list_lines("left out:", faults)
    list_lines("of one colour throughout (black?):", map(printable, report.flat))


def _base_config(backbone: str | None) -> Path:
    if backbone is None:
        return CONFIGS / (_ON_GPU if torch.cuda.is_available() else _ON_CPU)
    path = CONFIGS / "backbones" / f"slic_{backbone}_ucf101.py"
    if not path.is_file():
        names = sorted(
            file.stem.removeprefix("slic_").removesuffix("_ucf101")
            for file in path.parent.glob("slic_*_ucf101.py")
        )
        raise FileNotFoundError(f"There is no backbone {backbone!r}; there are {', '.join(names)}.")
    return path


def _listed(report: Report) -> dict[str, str]:
    """Read the lines of the usable videos by their paths, relative to the folder."""
    # Names may hold what splitlines() takes for the end of a line.
    lines = (report.out / TRAIN).read_text(encoding="utf-8").rstrip("\n").split("\n")
    return {line.rsplit(report.delimiter, 1)[0]: line for line in lines}


def _config_lines(
    report: Report, out: Path, base: Path, init: str | None, by_motion: bool
) -> Iterator[str]:
    dataset = f"dataset={dataset_text(report, TRAIN)}"
    hooks = "*_base_.custom_hooks"
    workers = ""
    if base.name == _ON_CPU:
        # Half of the free space, because checkpoints and other programs need room, too.
        room = shutil.disk_usage(out).free // 2
        frames = f"dict(_base_.frames, path={str(out / 'frames')!r}, max_bytes={room})"
        dataset += f", pipeline=[{frames}, *_base_.train_dataloader.dataset.pipeline[1:]]"
    else:
        workers = f"num_workers={num_cores()}, "
        yield "val_dataloader = val_evaluator = val_cfg = None"
    if by_motion:
        clusters = max(2, round(report.usable / _VIDEOS_PER_CLUSTER))
        hooks = (  # PseudoLabelHook is the last in every config
            "*_base_.custom_hooks[:-1], dict(_base_.custom_hooks[-1], "
            f"clusterer=dict(type='FINCH', num_clusters={clusters}), "
            f"pipeline=[], descriptors={str(out / 'motion.npz')!r})"
        )
    if init is not None:
        hooks = f"dict(type='BackboneLoadingHook'), {hooks}"
        where = init if "://" in init else str(Path(init).resolve())
        yield f"load_from = {where!r}"
        # A large learning rate would destroy what the weights know (docs/experiments.md).
        yield (
            "optim_wrapper = dict(_delete_=True, type='OptimWrapper', "
            "optimizer=dict(type='AdamW', lr=1e-3, weight_decay=0.05), "
            "paramwise_cfg=dict(custom_keys=dict(backbone=dict(lr_mult=0.1))))"
        )
    batch = min(_BATCH, report.usable)
    yield f"train_dataloader = dict(batch_size={batch}, {workers}dataset=dict({dataset}))"
    if batch < _BATCH:
        yield f"auto_scale_lr = dict(base_batch_size={batch})"  # no warning of a small batch
    yield f"custom_hooks = [{hooks}]"
    yield "randomness = dict(seed=0)"
    yield f"work_dir = {str(out / WORK_DIR)!r}"
    # An epoch may take minutes.
    yield "default_hooks = dict(checkpoint=dict(interval=1))"


def _epochs_that_fit(config: Path, deadline: float) -> int:
    """Measure some training steps, and compute the number of epochs until a deadline."""
    with tempfile.TemporaryDirectory() as folder:
        cfg = Config.fromfile(config)
        cfg.merge_from_dict(dict(work_dir=folder, experiment_name="measuring", load_from=None))
        cfg.custom_hooks = []
        runner = QuietRunner.from_cfg(cfg)
        loader = runner.build_dataloader(cfg.train_dataloader)
        loader.dataset.store.start_epoch(0, 0)
        optimizer = runner.build_optim_wrapper(cfg.optim_wrapper)
        runner.call_hook("before_run")  # bfloat16 and channels last on GPUs that support them
        runner.model.train()
        times = [time.monotonic()]
        steps = islice(_again_and_again(loader), _WARM_UP + _MEASURED)
        for batch in steps:
            runner.model.train_step(batch, optimizer)
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            times.append(time.monotonic())
    each = (times[-1] - times[_WARM_UP]) / _MEASURED
    per_epoch = each * len(loader)
    epochs = max(1, int((deadline - time.monotonic()) / per_epoch))
    say(f"a step takes {each:.2f} s, an epoch {per_epoch:.0f} s: {epochs} epochs fit")
    return epochs


def _again_and_again(loader: torch.utils.data.DataLoader) -> Iterator[dict]:
    while True:
        yield from loader
