"""A validation set cut from the training videos, so that nothing is tuned on test videos."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from slic_mmaction.durable_file import durable_file
from slic_mmaction.evaluation.linear_probe import validation_cut, video_groups

# Clips of one UCF101 group, v_CLASS_gXX_cYY, come from one source video.
GROUP = r"v_\w+_g\d+"
SHARE = 0.25
SEED = 0


def write_cut(ann_file: Path, folder: Path) -> tuple[Path, Path]:
    """Split the lines of an annotation file by source video, each class alike.

    Args:
        ann_file (Path): Lines ``path label``.
        folder (Path): Where the two parts go.

    Returns:
        tuple[Path, Path]: Annotation files of the videos to train with and to validate with.
    """
    lines = ann_file.read_text(encoding="utf-8").splitlines()
    videos, labels = zip(*(line.rsplit(maxsplit=1) for line in lines))
    groups = video_groups(videos, GROUP)
    held_out = validation_cut(np.array(labels, dtype=np.int64), groups, SHARE, SEED)
    folder.mkdir(parents=True, exist_ok=True)
    paths = folder / "cut_train.txt", folder / "cut_val.txt"
    for path, wanted in zip(paths, (False, True)):
        part = [line for line, out in zip(lines, held_out) if out == wanted]
        with durable_file(path) as file:
            file.write(("\n".join(part) + "\n").encode())
    return paths
