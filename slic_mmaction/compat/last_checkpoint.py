"""Which checkpoint ``--resume`` without a path goes on from.

mmengine 0.10.7 takes whatever text ``last_checkpoint`` holds for a path. Where that file is empty
or torn, it says that the checkpoint '' does not exist; where the work directory was copied, the
run goes on from the checkpoint of the original.
"""

from __future__ import annotations

import inspect
import zipfile
from pathlib import Path

from mmengine.logging import print_log
from mmengine.runner import runner


def repair_last_checkpoint() -> bool:
    """Make mmengine check what ``last_checkpoint`` names.

    Left alone: an mmengine that looks whether the file exists.
    """
    if "isfile" in inspect.getsource(runner.find_latest_checkpoint):
        return False
    runner.find_latest_checkpoint = find_latest_checkpoint
    return True


def find_latest_checkpoint(path: str) -> str | None:
    """The checkpoint that a run in a work directory has saved last.

    Args:
        path: The work directory.

    Returns:
        The file, in the work directory itself if it is there; None if none was saved.

    Raises:
        ValueError: If ``last_checkpoint`` is damaged, or names a file that does not exist.
    """
    pointer = Path(path) / "last_checkpoint"
    if not pointer.exists():
        print_log("Did not find last_checkpoint to be resumed.")
        return None
    named = pointer.read_bytes().decode(errors="replace").strip().strip("\0")
    if "://" in named:
        return named
    # The work directory may have been moved; checkpoints may lie elsewhere (out_dir).
    for file in (pointer.parent / Path(named).name, Path(named)):
        if file.is_file():
            return str(file)
    raise ValueError(
        f"{pointer} is damaged: it names {named!r}, which is no file. {newest_sound(Path(path))}"
    )


def newest_sound(folder: Path, damaged: Path | None = None) -> str:
    """A sentence that names the newest undamaged checkpoint of a folder.

    Args:
        folder: Where checkpoints lie.
        damaged: One that is known to be of no use.
    """
    files = [file for file in folder.glob("*.pth") if file != damaged]
    for file in sorted(files, key=lambda file: file.stat().st_mtime, reverse=True):
        try:
            with zipfile.ZipFile(file) as archive:
                if archive.testzip() is None:
                    return f"The newest sound checkpoint is {file}: give it to --resume."
        except (OSError, zipfile.BadZipFile):
            continue
    return f"There is no sound checkpoint in {folder}."
