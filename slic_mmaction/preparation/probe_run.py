"""Probing many videos: in parallel, with progress, and never the same one twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

from .journal import Journal, fingerprint
from .probing import Probe, probe_video
from .progress import progress_bar
from .workers import Failure, run_isolated


def probe_all(
    paths: Iterable[Path],
    journal: Path,
    num_workers: int,
    timeout: float,
    probe: Callable[[str], Probe] = probe_video,
) -> tuple[dict[Path, Probe], int]:
    """Probe videos, but for those that a journal has unchanged.

    A video that hung is probed again only with more time than it was given before. What
    could not be read at all is not kept, so the next run tries again.

    Args:
        paths (Iterable[Path]): The videos.
        journal (Path): File that keeps what was found; see
            :class:`~slic_mmaction.preparation.journal.Journal`.
        num_workers (int): Number of processes.
        timeout (float): Seconds that one video may take.
        probe (Callable): Probes one file. Defaults to
            :func:`~slic_mmaction.preparation.probing.probe_video`.

    Returns:
        tuple[dict[Path, Probe], int]: What is known of every video, and how many of them
        were probed now.
    """
    known: dict[Path, Probe] = {}
    states: dict[str, list[int]] = {}
    with Journal(journal) as kept:
        for path in paths:
            try:
                state, record = fingerprint(path), kept.get(path)
            except OSError as error:  # a link that leads nowhere, a disk that fails
                known[path] = Probe(error=f"cannot be read: {error.strerror}", transient=True)
                continue
            if record is None or (record["waited"] or timeout) < timeout:
                states[str(path)] = state
            else:
                known[path] = Probe(**record)
        with progress_bar("probing", total=len(states)) as advance:
            for name, outcome in run_isolated(probe, states, num_workers, timeout):
                found = _as_probe(outcome)
                if not found.transient:
                    kept.put(Path(name), states[name], asdict(found))
                known[Path(name)] = found
                advance()
    return known, len(states)


def keep_probes(journal: Path, probes: Mapping[Path, Probe]) -> None:
    """Keep what is known of videos that have been moved.

    Args:
        journal (Path): File that keeps it.
        probes (Mapping[Path, Probe]): What was found, by where the videos lie now.
    """
    with Journal(journal) as kept:
        for path, probe in probes.items():
            kept.put(path, fingerprint(path), asdict(probe))


def _as_probe(outcome: Probe | Failure) -> Probe:
    if isinstance(outcome, Failure):
        return Probe(error=outcome.reason, waited=outcome.waited, transient=outcome.transient)
    return outcome
