"""Scaling a folder of videos: in parallel, with progress, and never the same one twice."""

from __future__ import annotations

import functools
import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath

from ..durable_file import write_text
from .journal import Journal, fingerprint
from .progress import progress_bar
from .quarantine import write_quarantine
from .resizing import Scaling, resize_video
from .video_files import find_videos
from .workers import Failure, run_isolated

JOURNAL = "resize.jsonl"
SETTINGS = "resize.json"
FAULTS = "not_resized.csv"
DONE = ""


@dataclass(frozen=True)
class Resized:
    """What became of a folder: ``found = done + before + len(faults)``.

    Args:
        found (int): Number of videos found.
        done (int): How many were scaled now.
        before (int): How many had been scaled before.
        faults (dict[Path, str]): Those that could not be, and why.
    """

    found: int
    done: int
    before: int
    faults: dict[Path, str]


def resize_folder(
    source: Path,
    target: Path,
    scaling: Scaling,
    ffmpeg: str | None,
    num_workers: int,
    timeout: float,
) -> Resized:
    """Scale all videos of a folder into another one, under the same names, as .mp4.

    Args:
        source (Path): Folder of the videos.
        target (Path): Folder of the results; made if needed.
        scaling (Scaling): How.
        ffmpeg (str | None): The program; None for PyAV.
        num_workers (int): Number of processes.
        timeout (float): Seconds that one video may take.

    Returns:
        Resized: What was done; the faults also stand in ``not_resized.csv`` in ``target``.

    Raises:
        ValueError: If ``target`` lies within ``source`` or holds videos scaled in another
            way, or two videos would get the same name.
    """
    if source.resolve() in (target.resolve(), *target.resolve().parents):
        raise ValueError(f"{target} lies within {source}, which is read; name another folder.")
    targets = _targets(source, target)
    _check_settings(target / SETTINGS, scaling)

    faults: dict[Path, str] = {}
    states: dict[tuple[str, str], list[int]] = {}
    with Journal(target / JOURNAL) as kept:
        for name in targets:
            try:
                state, record = fingerprint(source / name), kept.get(source / name)
            except OSError as error:
                faults[source / name] = f"cannot be read: {error.strerror}"
                continue
            if record is None or (record == DONE and not targets[name].is_file()):
                states[str(source / name), str(targets[name])] = state
            elif record != DONE:
                faults[source / name] = record
        before = len(targets) - len(states) - len(faults)
        # The program stops itself in time; the workers' own limit is for what hangs beside it.
        work = functools.partial(resize_video, scaling=scaling, ffmpeg=ffmpeg, timeout=timeout)
        done = 0
        with progress_bar("resizing", total=len(states)) as advance:
            for job, outcome in run_isolated(work, states, num_workers, timeout + 10):
                if not isinstance(outcome, Failure):
                    kept.put(Path(job[0]), states[job], DONE)
                    done += 1
                else:
                    faults[Path(job[0])] = outcome.reason
                    if not (outcome.transient or outcome.waited):
                        kept.put(Path(job[0]), states[job], outcome.reason)
                advance()
    write_quarantine(target / FAULTS, faults.items())
    return Resized(len(targets), done, before, faults)


def _targets(source: Path, target: Path) -> dict[str, Path]:
    """Where each video of ``source`` goes; no two may go to one place."""
    targets = {p: target / PurePosixPath(p).with_suffix(".mp4") for p in find_videos(source)}
    for path, count in Counter(targets.values()).items():
        if count > 1:
            raise ValueError(f"{count} videos in {source} would become {path}; rename them.")
    return targets


def _check_settings(path: Path, scaling: Scaling) -> None:
    """Refuse to mix sizes in one folder."""
    settings = asdict(scaling)
    if path.is_file():
        previous = json.loads(path.read_text(encoding="utf-8"))
        if previous != settings:
            raise ValueError(
                f"{path.parent} holds videos resized with {previous}, not with {settings}; "
                "name another folder."
            )
    write_text(path, json.dumps(settings) + "\n")
