"""From lists and a folder of videos to annotation files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from ..durable_file import write_text
from .annotations import choose_delimiter, write_annotations
from .faults import Settings, find_faults
from .lists import Entry, VideoLists
from .matching import match_files
from .probing import Probe, probe_video
from .quarantine import write_quarantine
from .report import Report, SplitReport
from .video_files import printable
from .video_folder import VideoFolder

JOURNAL = "probes.jsonl"
Match = Callable[[Iterable[Entry], Iterable[str], Sequence[str]], Mapping[Entry, Sequence[str]]]
# A video of the lists: the folder its split names, and its entry.
Listed = tuple[Path, Entry]


def prepare(
    lists: VideoLists,
    out: Path,
    settings: Settings,
    match: Match = match_files,
    probe: Callable[[str], Probe] = probe_video,
) -> Report:
    """Find, probe and list the videos of a data set.

    Writes to ``out`` one annotation file for each split, ``missing.txt``, ``extra.txt``,
    ``quarantine.csv`` and the journal of the probing. A second run on the same videos probes
    nothing and writes the same files.

    Args:
        lists (VideoLists): The splits.
        out (Path): Folder to write to; made if needed.
        settings (Settings): How to probe, and what is usable.
        match (Callable): Finds the files of the listed videos. Defaults to
            :func:`~slic_mmaction.preparation.matching.match_files`.
        probe (Callable): Probes one file. Defaults to
            :func:`~slic_mmaction.preparation.probing.probe_video`.

    Returns:
        Report: What was found and written.
    """
    roots = dict.fromkeys(split.videos for split in lists.splits)
    folders = {root: VideoFolder(root, settings.quarantine) for root in roots}
    files, extra = _find_files(lists, folders, match)
    candidates = [(folders[root], path) for (root, _), paths in files.items() for path in paths]
    faults, probed = find_faults(candidates, out / JOURNAL, settings, probe)
    usable = {
        (root, entry): sound[0]
        for (root, entry), paths in files.items()
        if (sound := [path for path in paths if (folders[root], path) not in faults])
    }
    report = Report(
        out=out,
        splits=_count(lists, files, usable, out),
        delimiter=choose_delimiter(usable.values()),
        found=sum(len(folder.paths) for folder in folders.values()),
        probed=probed,
        usable=len({(root, path) for (root, _), path in usable.items()}),
        missing=list(dict.fromkeys(entry for (_, entry), paths in files.items() if not paths)),
        extra=extra,
        faults={folder.locate(path): reason for (folder, path), reason in faults.items()},
        warnings=lists.warnings,
    )
    _write(report, usable)
    return report


def _find_files(
    lists: VideoLists, folders: Mapping[Path, VideoFolder], match: Match
) -> tuple[dict[Listed, Sequence[str]], list[Path]]:
    """Files of every listed video, best first, and the files that are no listed video's."""
    classes = {entry.class_name for split in lists.splits for entry in split.entries}
    files: dict[Listed, Sequence[str]] = {}
    extra: list[Path] = []
    for root, folder in folders.items():
        listed = dict.fromkeys(e for s in lists.splits if s.videos == root for e in s.entries)
        matched = match((*listed, *lists.unused), classes, folder.paths)
        files.update({(root, entry): matched[entry] for entry in listed})
        named = {path for paths in matched.values() for path in paths}
        extra += (folder.locate(path) for path in folder.paths if path not in named)
    return files, extra


def _count(
    lists: VideoLists,
    files: Mapping[Listed, Sequence[str]],
    usable: Mapping[Listed, str],
    out: Path,
) -> list[SplitReport]:
    reports = []
    for split in lists.splits:
        videos = [(split.videos, entry) for entry in split.entries]
        lines = sum(video in usable for video in videos)
        missing = sum(not files[video] for video in videos)
        broken = len(videos) - lines - missing
        reports.append(SplitReport(split, out / split.file_name, lines, missing, broken))
    return reports


def _write(report: Report, usable: Mapping[Listed, str]) -> None:
    for made in report.splits:
        videos = ((made.split.videos, entry) for entry in made.split.entries)
        rows = [(usable[video], video[1].label) for video in videos if video in usable]
        write_annotations(made.annotations, rows, report.delimiter)
    write_text(report.out / "missing.txt", "".join(f"{entry}\n" for entry in report.missing))
    write_text(report.out / "extra.txt", "".join(f"{printable(p)}\n" for p in report.extra))
    write_quarantine(report.out / "quarantine.csv", report.faults.items())
