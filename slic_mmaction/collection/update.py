"""Updating an index for a folder of videos."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from filelock import FileLock, Timeout

from ..durable_file import write_text
from ..preparation.video_files import count_others, scan_folder
from ..progress import progress_bar
from .store import WindowTable, file_state

if TYPE_CHECKING:
    from .network import Network

WINDOW, STRIDE = 4.0, 2.0
SETTINGS, NETWORK = "collection.json", "network.pth"
_FORMAT = 1
_NEEDED = {"folder", "window", "stride", "network"}
_SECONDS_BETWEEN_WRITES = 20.0


class Changes(NamedTuple):
    """Result of an update of a collection.

    Attributes:
        added: Number of new videos.
        renewed: Number of changed videos.
        dropped: Number of deleted videos.
        unchanged: Number of unchanged videos.
        unreadable: Reasons by path of the videos that cannot be read.
        others: Numbers of files that are not videos, by suffix.
    """

    added: int
    renewed: int
    dropped: int
    unchanged: int
    unreadable: dict[str, str]
    others: Mapping[str, int]


def update_index(
    folder: Path,
    path: Path,
    network: Network | None,
    window: float | None,
    stride: float | None,
    num_workers: int,
) -> Changes:
    """Update an index as :meth:`Collection.index` does; ``folder`` is absolute."""
    found, others = scan_folder(folder)
    if not found:  # the disk may be not mounted: do not empty the index
        raise FileNotFoundError(f"{folder} holds no videos (skipped: {count_others(others)}).")
    path.mkdir(parents=True, exist_ok=True)
    with alone(path):
        _begin(folder, path, network, window, stride)
        return _update(folder, path, found, others, network, num_workers)


@contextmanager
def alone(path: Path) -> Iterator[None]:
    """Lock the index, so that no other process writes to it."""
    lock = FileLock(path / ".lock")
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise BlockingIOError(
            f"Another process is writing to the index {path}: wait until it has ended."
        ) from error
    try:
        yield
    finally:
        lock.release()


def read_settings(path: Path) -> dict[str, Any]:
    """Read the settings of an index.

    Raises:
        FileNotFoundError: If there is no index.
        ValueError: If the file is damaged or has another format.
    """
    file = path / SETTINGS
    if not file.is_file():
        raise FileNotFoundError(f"{path} is not an index of videos: create one with `slic index`.")
    try:
        settings = json.loads(file.read_text())
        whole = settings["format"] != _FORMAT or settings.keys() >= _NEEDED
    except (ValueError, TypeError, KeyError):
        whole = False
    if not whole:
        raise ValueError(f"{file} is damaged: delete the index and create it again.")
    if settings.get("format") != _FORMAT:
        raise ValueError(
            f"{path} has format {settings.get('format')}, but this version reads {_FORMAT}: "
            "create the index again."
        )
    return settings


def _begin(
    folder: Path, path: Path, network: Network | None, window: float | None, stride: float | None
) -> None:
    """Write the settings and the network of a new index, or check them against an existing one."""
    if not (path / SETTINGS).is_file():
        if network is None:
            raise FileNotFoundError(f"{path} is a new index: give its network.")
        window, stride = WINDOW if window is None else window, STRIDE if stride is None else stride
        if not 0 < stride <= window:
            raise ValueError(
                "The stride must be above 0 s and at most the window, but got a stride of "
                f"{stride:g} s and a window of {window:g} s."
            )
        network.save(path / NETWORK)
        new = dict(
            format=_FORMAT, folder=str(folder), window=window, stride=stride, network=network.digest
        )
        write_text(path / SETTINGS, json.dumps(new, indent=1) + "\n")
        return
    settings = read_settings(path)
    old = Path(settings["folder"])
    if old.resolve() != folder and (
        old.exists() or not any((folder / name).exists() for name in WindowTable(path).known())
    ):
        raise ValueError(f"{path} is the index of {old}, not of {folder}: choose another --out.")
    if network is not None and network.digest != settings["network"]:
        raise ValueError(
            f"{path} holds vectors of another network, which must not be mixed: choose another "
            "--out, or leave out --with to continue with the network of the index."
        )
    for name, asked in (("window", window), ("stride", stride)):
        if asked not in (None, settings[name]):
            raise ValueError(
                f"{path} has a {name} of {settings[name]:g} s, not of {asked:g} s: choose another "
                f"--out, or leave out --{name}."
            )
    if old != folder:
        write_text(
            path / SETTINGS, json.dumps({**settings, "folder": str(folder)}, indent=1) + "\n"
        )


def _update(
    folder: Path,
    path: Path,
    found: list[str],
    others: Mapping[str, int],
    network: Network | None,
    num_workers: int,
) -> Changes:
    table = WindowTable(path)
    settings = read_settings(path)
    known = table.known()
    unreadable = {name: tuple(state) for name, state in settings.get("unreadable", {}).items()}
    now: dict[str, tuple[int, int]] = {}
    closed: dict[str, str] = {}
    for name in found:
        try:
            name.encode()
            now[name] = file_state(folder / name)
        except UnicodeEncodeError:
            closed[name] = "its name is not UTF-8: rename it"
        except OSError as error:
            closed[name] = f"cannot be opened: {error}"
    bad = {name: state[2] for name, state in unreadable.items() if now.get(name) == state[:2]}
    changed = [name for name in known if name in now and known[name] != now[name]]
    dropped = [name for name in known if name not in now]
    todo = [name for name in now if known.get(name) != now[name] and name not in bad]
    if todo and network is None:
        from .. import register

        register()  # the command `slic` has not done it yet
        from .network import Network

        network = Network.load(path / NETWORK)
    table.remove([*changed, *dropped])
    failed: dict[str, tuple[int, int, str]] = {}
    if network is not None and todo:
        batch: list[tuple[str, list[tuple[float, float]], np.ndarray]] = []
        written = time.monotonic()
        with progress_bar("embedding videos", len(todo)) as advance:
            for name, spans, vectors, last in network.windows(
                folder, todo, settings["window"], settings["stride"], num_workers
            ):
                if last.error:
                    bad[name] = last.error
                    if not last.transient:
                        failed[name] = (*now[name], last.error)
                else:
                    batch.append((name, spans, vectors))
                advance()
                if batch and time.monotonic() - written > _SECONDS_BETWEEN_WRITES:
                    _add(table, batch, now)
                    batch, written = [], time.monotonic()
            _add(table, batch, now)
    kept = {name: state for name, state in unreadable.items() if name in bad and name in now}
    if (kept | failed) != unreadable:
        settings["unreadable"] = {**kept, **failed}
        write_text(path / SETTINGS, json.dumps(settings, indent=1) + "\n")
    if not table.is_published:
        table.publish()
    made = set(todo) - set(bad)
    renewed = made & set(changed)
    unchanged = sum(known.get(name) == state for name, state in now.items())
    return Changes(len(made - renewed), len(renewed), len(dropped), unchanged, bad | closed, others)


def _add(
    table: WindowTable,
    batch: list[tuple[str, list[tuple[float, float]], np.ndarray]],
    states: Mapping[str, tuple[int, int]],
) -> None:
    if not batch:
        return
    rows = [(name, *span, *states[name]) for name, spans, _ in batch for span in spans]
    path, start, end, size, date = map(list, zip(*rows))
    table.add(path, start, end, size, date, np.concatenate([vectors for *_, vectors in batch]))
