"""Which videos are left out, and why."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from .annotations import unwritable
from .probe_run import keep_probes, probe_all
from .probing import Probe, fault, probe_video
from .video_folder import VideoFolder

Video = tuple[VideoFolder, str]


@dataclass(frozen=True)
class Settings:
    """What counts as a usable video, and how videos are probed.

    Args:
        num_workers (int): Number of decoding processes.
        timeout (float): Seconds that one video may take.
        min_frames (int): Frames that a usable video has at least.
        min_share (float): Part of its declared length that has to decode.
        quarantine (Path | None): Folder that broken videos are moved to. None leaves them
            where they are.
    """

    num_workers: int
    timeout: float = 60.0
    min_frames: int = 2
    min_share: float = 0.9
    quarantine: Path | None = None


def find_faults(
    videos: Sequence[Video],
    journal: Path,
    settings: Settings,
    probe: Callable[[str], Probe] = probe_video,
) -> tuple[dict[Video, str], int]:
    """Probe videos and, if so asked, move the faulty ones away.

    A video that could not be read (a permission, a failing disk) is left out but never moved.

    Args:
        videos (Sequence[tuple[VideoFolder, str]]): Folders and paths in them.
        journal (Path): File that keeps what was found.
        settings (Settings): How to probe, and what is usable.
        probe (Callable): Probes one file.

    Returns:
        tuple[dict[tuple[VideoFolder, str], str], int]: What is wrong with each faulty video,
        and how many were probed now.
    """
    faults = {video: reason for video in videos if (reason := unwritable(video[1]))}
    places = {video: video[0].locate(video[1]) for video in videos if video not in faults}
    probes, probed = probe_all(
        places.values(), journal, settings.num_workers, settings.timeout, probe
    )
    moved = {}
    for video, place in places.items():
        folder, path = video
        found = probes[place]
        reason = fault(found, settings.min_frames, settings.min_share)
        if reason is None and folder.is_moved(path):
            reason = "lies in the quarantine; move it back to use it"
        if reason is None:
            continue
        faults[video] = reason
        if settings.quarantine is not None and not (folder.is_moved(path) or found.transient):
            moved[folder.move_away(path)] = found
    keep_probes(journal, moved)
    return faults, probed
