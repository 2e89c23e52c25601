"""Find copies of videos, made on purpose, among other videos of the same classes and sources.

Of one clip of each of 40 groups (cuts of one source) copies are made with ffmpeg and laid among at
least 300 clips of the same classes, all clips of those groups among them. Then the folder is
indexed and searched for duplicates, as `slic index` and `slic duplicates` do.

    python benchmarks/duplicates.py VIDEOS... --with RUN --out WORK

VIDEOS are folders of UCF101's clips, as Class/v_Class_g01_c01.mp4. Printed is, for each kind of
copy, how many are found beside their source, and every pair that no copy was made for.
"""

from __future__ import annotations

import random
import shutil
import subprocess
from pathlib import Path

SOURCES, CLIPS_OF_A_CLASS = 40, 30
DOUBLE = ("v_TrampolineJumping_g08_c01", "v_TrampolineJumping_g12_c05")  # one clip, two names
# Arguments of ffmpeg before and after the input.
KINDS: dict[str, tuple[str, str]] = {
    "low quality": ("", "-crf 38"),
    "half the size": ("", "-vf scale=trunc(iw/4)*2:trunc(ih/4)*2"),
    "trimmed, 1 s at the start": ("-ss 1", ""),
    "trimmed, 0.9 s at the end": ("", "-t {length_less_0.9}"),
    "black bars above and below": ("", "-vf pad=iw:ih+36:0:18"),
    "black bars left and right": ("", "-vf pad=iw+50:ih:25:0"),
    "colours and brightness": ("", "-vf eq=brightness=0.12:contrast=0.8:saturation=1.6,hue=h=40"),
    "mirrored": ("", "-vf hflip"),
    "15 frames per second": ("", "-r 15"),
    "mirrored, half, trimmed, bars, low quality": (
        "-ss 0.7",
        "-vf hflip,scale=trunc(iw/4)*2:trunc(ih/4)*2,pad=iw:ih+20:0:10 -crf 34",
    ),
}


def group(path: Path) -> str:
    """The source that a clip of UCF101 is cut from."""
    return path.stem.rsplit("_", 1)[0]


def choose(folders: list[Path]) -> tuple[list[Path], list[Path]]:
    """Sources of copies, and all clips, by class and group."""
    draw = random.Random(0)
    classes: dict[str, list[Path]] = {}
    for path in sorted(path for folder in folders for path in folder.rglob("*.mp4")):
        classes.setdefault(path.parent.name, []).append(path)
    sources: list[Path] = []
    clips: list[Path] = []
    for number, own in enumerate(classes.values()):
        groups = sorted({group(path) for path in own})
        draw.shuffle(groups)
        count = SOURCES * (number + 1) // len(classes) - len(sources)
        sources += [draw.choice([p for p in own if group(p) == name]) for name in groups[:count]]
        ordered = sorted(own, key=lambda path: groups.index(group(path)))
        sure = sum(group(path) in groups[:count] for path in own)
        clips += ordered[: max(sure, CLIPS_OF_A_CLASS)]
        clips += [p for p in own if p.stem in DOUBLE and p not in clips]
    return sources, clips


def seconds(path: Path) -> float:
    """Length of a video."""
    command = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"]
    return float(subprocess.run([*command, path], check=True, capture_output=True).stdout)


def make_copies(sources: list[Path], clips: list[Path], folder: Path) -> dict[str, tuple[str, str]]:
    """Lay clips and copies of sources into a folder: kind and source of each copy, by path."""
    places = {clip: folder / clip.parent.name / clip.name for clip in clips}
    for clip, place in places.items():
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(clip, place)
    made = {}
    for number, (kind, (before, after)) in enumerate(KINDS.items()):
        for source in sources:
            copy = folder / "copies" / f"{number} {kind}" / f"{source.stem}.mp4"
            copy.parent.mkdir(parents=True, exist_ok=True)
            made[copy.relative_to(folder).as_posix()] = (
                kind,
                places[source].relative_to(folder).as_posix(),
            )
            after_it = after.replace("{length_less_0.9}", f"{seconds(source) - 0.9:.3f}").split()
            quality = [] if "-crf" in after_it else ["-crf", "23"]
            command = ["ffmpeg", "-v", "error", "-y", *before.split(), "-i", source, *after_it]
            if not copy.exists():
                subprocess.run([*command, *quality, "-an", copy], check=True)
    return made
