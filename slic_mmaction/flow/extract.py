"""From videos to flow files: what is to be done, and doing it for one of them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import cv2

from ..preparation.video_files import find_videos
from .store import FlowSettings, read_settings, relative_name, stored_path, write_flow
from .videos import BrokenVideoError, video_flow

# What follows the path in a line of an annotation file: labels, or nothing.
_LABELS = re.compile(r"(?:[\s,;]+-?\d+)*\s*$")


@dataclass(frozen=True)
class FlowJob:
    """A video and the flow file that it should have."""

    video: Path
    target: Path


def listed_videos(annotation: Path, video_root: Path) -> list[Path]:
    """Videos of an MMAction2 annotation file (lines ``path``, ``path label [label ...]``).

    Args:
        annotation (Path): The file.
        video_root (Path): Folder that its paths are relative to.

    Returns:
        list[Path]: In the order of the file, each once.

    Raises:
        ValueError: If it lists none.
    """
    lines = annotation.read_text(encoding="utf-8").splitlines()
    names = (_LABELS.sub("", line).strip() for line in lines)
    videos = list(dict.fromkeys(video_root / name for name in names if name))
    if not videos:
        raise ValueError(f"The annotation file {annotation} lists no video.")
    return videos


def videos_below(folder: Path) -> list[Path]:
    """All videos in a folder and those below it.

    Raises:
        ValueError: If there is none.
    """
    videos = [folder / name for name in find_videos(folder)]
    if not videos:
        raise ValueError(f"There is no video in {folder} or below it.")
    return videos


def videos_asked_for(videos: Path, video_root: Path | None) -> tuple[list[Path], Path]:
    """What the command line of an extraction names.

    Args:
        videos (Path): Annotation file, or folder of videos.
        video_root (Path, optional): Folder that names are relative to; needed for a file.

    Returns:
        tuple[list[Path], Path]: The videos and that folder.

    Raises:
        FileNotFoundError: If there is no such file or folder.
        ValueError: If the root is needed, or there is no video.
    """
    if videos.is_dir():
        return videos_below(videos), video_root or videos
    if not videos.is_file():
        raise FileNotFoundError(f"There is no annotation file or folder {videos}.")
    if video_root is None:
        raise ValueError(
            f"{videos} is an annotation file: name the folder that its paths are relative "
            "to with --video-root."
        )
    return listed_videos(videos, video_root), video_root


def plan(videos: Iterable[Path], video_root: Path, out: Path) -> list[FlowJob]:
    """Give each video its flow file.

    Raises:
        ValueError: If two videos would share one, or a video is not below ``video_root``.
    """
    by_target: dict[Path, FlowJob] = {}
    for video in videos:
        name = os.path.splitext(relative_name(video, video_root))[0]
        job = FlowJob(video, stored_path(out, name))
        other = by_target.setdefault(job.target, job)
        if other != job:
            raise ValueError(
                f"{other.video} and {video} would both have the flow file {job.target}: "
                "rename one of them."
            )
    return list(by_target.values())


def remaining(jobs: Iterable[FlowJob], settings: FlowSettings) -> list[FlowJob]:
    """The jobs whose flow file is missing or damaged.

    Raises:
        ValueError: If there is a flow file of other settings.
    """
    todo = []
    for job in jobs:
        present = read_settings(job.target)
        if present is None:
            todo.append(job)
        elif present != settings:
            raise ValueError(
                f"{job.target} was made with {_difference(present, settings)}: "
                "choose another --out, or delete that folder."
            )
    return todo


def extract(job: FlowJob, settings: FlowSettings) -> str | None:
    """Make one flow file with one thread; work is parallel over videos.

    Args:
        job (FlowJob): The video and the file.
        settings (FlowSettings): How.

    Returns:
        str | None: What is wrong with the video, or None if all went well.

    Raises:
        OSError: If the file cannot be written.
    """
    cv2.setNumThreads(1)
    try:
        flow = video_flow(job.video, settings.method, settings.short_side)
        write_flow(job.target, flow, settings)
    except BrokenVideoError as error:
        return str(error)
    return None


def _difference(present: FlowSettings, wanted: FlowSettings) -> str:
    values = vars(wanted)
    fields = [
        f"{name.replace('_', ' ')} {value} instead of {values[name]}"
        for name, value in vars(present).items()
        if value != values[name]
    ]
    return " and ".join(fields)
