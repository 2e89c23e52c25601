"""The checkpoint from which ``--resume`` without a path continues.

mmengine 0.10.7 uses any text in ``last_checkpoint`` as a path. If that file is empty or damaged,
it reports that the checkpoint '' does not exist. If the work directory was copied, the run
continues from the checkpoint of the original.
"""

from __future__ import annotations

import inspect
import zipfile
from pathlib import Path

from mmengine.logging import print_log
from mmengine.runner import runner


def repair_last_checkpoint() -> bool:
    """Make mmengine check the path in ``last_checkpoint``.

    The repair is skipped if mmengine checks that the file exists.
    """
    if "isfile" in inspect.getsource(runner.find_latest_checkpoint):
        return False
    runner.find_latest_checkpoint = find_latest_checkpoint
    return True


def find_latest_checkpoint(path: str) -> str | None:
    """Find the last checkpoint of a work directory.

    Args:
        path: Work directory.

    Returns:
        Path of the file, in the work directory itself if possible; None if there is none.

    Raises:
        ValueError: If ``last_checkpoint`` is damaged, or its file does not exist.
    """
    pointer = Path(path) / "last_checkpoint"
    if not pointer.exists():
        print_log("Did not find last_checkpoint to be resumed.")
        return None
    named = pointer.read_bytes().decode(errors="replace").strip().strip("\0")
    if "://" in named:
        return named
    # The work directory may have been moved, and checkpoints may be in another folder (out_dir).
    for file in (pointer.parent / Path(named).name, Path(named)):
        if file.is_file():
            return str(file)
    raise ValueError(
        f"{pointer} is damaged: it names {named!r}, which is not a file. {newest_sound(Path(path))}"
    )


def newest_sound(folder: Path, damaged: Path | None = None) -> str:
    """Return a sentence with the newest undamaged checkpoint of a folder.

    Args:
        folder: Folder of checkpoints.
        damaged: Checkpoint that is known to be damaged.
    """
    files = [file for file in folder.glob("*.pth") if file != damaged]
    for file in sorted(files, key=lambda file: file.stat().st_mtime, reverse=True):
        try:
            with zipfile.ZipFile(file) as archive:
                if archive.testzip() is None:
                    return f"The newest undamaged checkpoint is {file}: give it to --resume."
        except (OSError, zipfile.BadZipFile):
            continue
    return f"There is no undamaged checkpoint in {folder}."
