"""Measure how many generated copies of videos are found among similar videos.

ffmpeg makes copies of one clip of each of 40 groups (clips of the same source video). They are
added to a folder of at least 300 clips of the same classes, including all clips of these groups.
Then the folder is indexed and searched for duplicates, as by `slic index` and `slic duplicates`.

    python benchmarks/duplicates.py VIDEOS... --with RUN --out WORK

VIDEOS are folders of UCF101's clips, as Class/v_Class_g01_c01.mp4. The program prints for each kind
of copy the share with the original among the 10 nearest neighbours by vectors, the share found as a
pair with the original, and the share in the group of the original, maybe through another copy. It
also prints all other pairs found.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import time
from collections import Counter
from itertools import combinations
from pathlib import Path

from slic_mmaction import register
from slic_mmaction.collection import Collection
from slic_mmaction.collection.duplicates import nearest_videos
from slic_mmaction.collection.network import Network

SOURCES, CLIPS_OF_A_CLASS = 40, 30
DOUBLE = (
    "v_TrampolineJumping_g08_c01",
    "v_TrampolineJumping_g12_c05",
)  # the same clip under two names
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
    """Return the name of the source video of a clip of UCF101."""
    return path.stem.rsplit("_", 1)[0]


def choose(folders: list[Path], part: int) -> tuple[list[Path], list[Path]]:
    """Choose the clips to copy and all clips; different parts have no group in common."""
    draw = random.Random(0)
    classes: dict[str, list[Path]] = {}
    for path in sorted(path for folder in folders for path in folder.rglob("*.mp4")):
        classes.setdefault(path.parent.name, []).append(path)
    sources: list[Path] = []
    clips: list[Path] = []
    for number, own in enumerate(classes.values()):
        groups = sorted({group(path) for path in own})
        draw.shuffle(groups)
        groups = groups if part == 0 else groups[::-1]
        count = SOURCES * (number + 1) // len(classes) - len(sources)
        sources += [draw.choice([p for p in own if group(p) == name]) for name in groups[:count]]
        ordered = sorted(own, key=lambda path: groups.index(group(path)))
        sure = sum(group(path) in groups[:count] for path in own)
        clips += ordered[: max(sure, CLIPS_OF_A_CLASS)]
        clips += [p for p in own if p.stem in DOUBLE and p not in clips]
    return sources, clips


def seconds(path: Path) -> float:
    """Return the length of a video in seconds."""
    command = ["ffprobe", "-v", "error", "-show_entries", "format=duration", "-of", "csv=p=0"]
    return float(subprocess.run([*command, path], check=True, capture_output=True).stdout)


def make_copies(sources: list[Path], clips: list[Path], folder: Path) -> dict[str, tuple[str, str]]:
    """Write clips and copies to a folder; return the kind and source of each copy by path."""
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
            if copy.exists():
                continue
            options = after.replace("{length_less_0.9}", f"{seconds(source) - 0.9:.3f}").split()
            options += [] if "-crf" in options else ["-crf", "23"]
            command = ["ffmpeg", "-v", "error", "-y", *before.split(), "-i", str(source), *options]
            subprocess.run([*command, "-an", str(copy)], check=True)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "folders", nargs="+", type=Path, help="Folders of UCF101's clips as MP4, by class."
    )
    parser.add_argument(
        "--with", dest="network", required=True, help="Folder of a run, or a model.pth."
    )
    parser.add_argument("--part", type=int, default=1, choices=(0, 1), help="Part of the groups.")
    parser.add_argument(
        "--out", type=Path, required=True, help="Work folder; an existing one is continued."
    )
    args = parser.parse_args()
    register()
    sources, clips = choose(args.folders, args.part)
    made = make_copies(sources, clips, args.out / "videos")
    Collection.index(args.out / "videos", args.out / "index", Network.find(args.network))
    wall, cpu = time.perf_counter(), time.process_time()
    collection = Collection(args.out / "index")
    found = collection.duplicates()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    group_of = {member.path: member.group for member in found.members}
    kept = {member.path for member in found.members if member.keep}

    near = set(nearest_videos(collection.paths, collection.vectors, 10))
    print("| copy | vectors near | found | in its group |\n|---|---|---|---|")
    for kind in KINDS:
        own = [(*sorted(pair),) for pair in ((c, s) for c, (k, s) in made.items() if k == kind)]
        shares = [
            sum(pair in near for pair in own),
            sum(pair in found.pairs for pair in own),
            sum(group_of.get(a, -1) == group_of.get(b, -2) for a, b in own),
        ]
        print(f"| {kind} | {' | '.join(f'{share / len(own):.0%}' for share in shares)} |")

    source_of = {copy: source for copy, (_, source) in made.items()}
    doubles = [pair for pair in found.pairs if all(Path(path).stem in DOUBLE for path in pair)]
    unmade = [
        pair
        for pair in found.pairs
        if source_of.get(pair[0], pair[0]) != source_of.get(pair[1], pair[1])
    ]
    origins = Counter(
        tuple(sorted(Path(source_of.get(path, path)).stem for path in pair)) for pair in unmade
    )
    count = len(found.pairs)
    same = sum(group(Path(a)) == group(Path(b)) for a, b in combinations(map(str, clips), 2))
    print(f"\n{len(clips)} clips and {len(made)} copies; {found.compared} pairs compared.")
    print(
        f"{count} pairs found, {1 - len(unmade) / count:.1%} of one source; known double: {doubles}"
    )
    print(f"Of two clips, taken for one ({same} pairs of clips are cuts of one source):")
    for names, number in origins.most_common():
        print(f"  {' and '.join(names)}: {number} pairs")
    print(f"kept a source: {sum(source in kept for source in set(source_of.values()))}")
    print(f"{wall:.0f} s, {cpu:.0f} s of this process's CPU (without its decoding workers)")


if __name__ == "__main__":
    main()
