"""Writing annotation files from lists and a folder of videos."""

from __future__ import annotations

import shutil
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from ..durable_file import write_text
from .annotations import choose_delimiter, unwritable, write_annotations, write_faults
from .journal import Journal, fingerprint
from .lists import Entry, Split, VideoLists, match_files
from .probing import Settings, probe_all
from .video_files import locate_videos, printable

JOURNAL = "probes.jsonl"
Match = Callable[[Iterable[Entry], Iterable[str], Sequence[str]], Mapping[Entry, Sequence[str]]]
# The folder of a split and a path in it; the folder of a split and one of its listed videos.
Video = tuple[Path, str]
Listed = tuple[Path, Entry]


class SplitReport(NamedTuple):
    """Result of a split, whose entries are usable, missing or broken."""

    split: Split
    usable: int  # lines in the annotation file
    missing: int  # videos without a file
    broken: int  # videos whose files are all faulty


class Report(NamedTuple):
    """Result of a preparation."""

    out: Path  # folder of the written files
    splits: list[SplitReport]
    delimiter: str  # between path and label in the annotation files
    found: int  # video files
    others: Counter[str]  # files that are not videos, by suffix
    probed: int  # videos probed now; the others were probed before
    usable: int  # distinct videos in the annotation files
    missing: list[Entry]  # listed videos without a file
    extra: list[Path]  # files that are not in a list
    faults: dict[Path, str]  # files left out, with the reasons
    passing: int  # number of them that the next run tries again
    flat: list[Path]  # usable files that show a single colour
    warnings: tuple[str, ...]  # sentences about problems of the lists


def prepare(lists: VideoLists, out: Path, settings: Settings, match: Match = match_files) -> Report:
    """Find, probe and list the videos of a dataset.

    It writes an annotation file for each split, ``missing.txt``, ``extra.txt``,
    ``quarantine.csv`` and the journal of the probing to ``out``. A second run on the same videos
    probes nothing and writes the same files.
    """
    places: dict[Video, Path] = {}
    others: Counter[str] = Counter()
    for root in dict.fromkeys(split.videos for split in lists.splits):
        located, passed_over = locate_videos(root, settings.quarantine)
        places.update({(root, path): place for path, place in located.items()})
        others += passed_over
    files, extra = _match_all(lists, places, match)
    candidates = dict.fromkeys(video for videos in files.values() for video in videos)
    faults = {video: reason for video in candidates if (reason := unwritable(video[1]))}
    writable = [video for video in candidates if video not in faults]
    journal = Journal(out / JOURNAL)
    probes, probed = probe_all([places[video] for video in writable], journal, settings)
    passing, flat = 0, []
    for video in writable:
        found, moved = probes[places[video]], places[video] != Path(*video)
        reason = found.fault(settings.min_frames, settings.min_share)
        if reason is None and moved:
            reason = "is in the quarantine; move it back to use it"
        if reason is None:
            flat += [places[video]] if found.flat else []
            continue
        faults[video] = reason
        passing += found.transient
        if settings.quarantine and not (moved or found.transient):
            target = places[video] = settings.quarantine / video[0].name / video[1]
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.move(str(Path(*video)), str(target))
            journal.put(target, fingerprint(target), found._asdict())
    usable = {
        listed: sound[0]
        for listed, videos in files.items()
        if (sound := [video for video in videos if video not in faults])
    }
    report = Report(
        out=out,
        splits=[],
        delimiter=choose_delimiter(path for _, path in usable.values()),
        found=len(places),
        others=others,
        probed=probed,
        usable=len(set(usable.values())),
        missing=list(dict.fromkeys(entry for (_, entry), videos in files.items() if not videos)),
        extra=[places[video] for video in extra],
        faults={places[video]: reason for video, reason in faults.items()},
        passing=passing,
        flat=flat,
        warnings=lists.warnings,
    )
    for split in lists.splits:
        listed = [(split.videos, entry) for entry in split.entries]
        rows = [(usable[video][1], video[1].label) for video in listed if video in usable]
        missing = sum(not files[video] for video in listed)
        broken = len(listed) - len(rows) - missing
        report.splits.append(SplitReport(split, len(rows), missing, broken))
        write_annotations(out / split.file_name, rows, report.delimiter)
    write_text(out / "missing.txt", "".join(f"{entry}\n" for entry in report.missing))
    write_text(out / "extra.txt", "".join(f"{printable(path)}\n" for path in report.extra))
    write_faults(out / "quarantine.csv", report.faults)
    return report


def _match_all(
    lists: VideoLists, places: Iterable[Video], match: Match
) -> tuple[dict[Listed, list[Video]], list[Video]]:
    """Find the files of every listed video, best first, and the files of no listed video."""
    classes = {entry.class_name for split in lists.splits for entry in split.entries}
    files: dict[Listed, list[Video]] = {}
    named: set[Video] = set()
    for root in dict.fromkeys(split.videos for split in lists.splits):
        listed = dict.fromkeys(e for s in lists.splits if s.videos == root for e in s.entries)
        paths = [path for folder, path in places if folder == root]
        matched = match((*listed, *lists.unused), classes, paths)
        files.update({(root, entry): [(root, p) for p in matched[entry]] for entry in listed})
        named.update((root, path) for fitting in matched.values() for path in fitting)
    return files, [video for video in places if video not in named]
