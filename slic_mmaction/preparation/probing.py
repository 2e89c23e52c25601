"""Probing which videos can be decoded, and why others cannot."""

from __future__ import annotations

import re
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ..decoding import UnreadableVideoError, open_reader
from ..progress import progress_bar
from .journal import Journal, fingerprint
from .workers import Failure, run_isolated

# Decoders disagree by up to this number of frames on intact files (packed B-frames in UCF101).
FRAME_SLACK = 8
# Number of sampled frames. Decoding begins at the key frame before each, mostly 250 or fewer
# frames earlier, so a video of up to 4,000 frames is decoded as a whole.
SAMPLES = 16
FLAT = 2  # grey values by which a compressed picture of one colour varies


class Settings(NamedTuple):
    """Settings of the probing, and the limits of a usable video."""

    num_workers: int  # decoding processes
    timeout: float = 60.0  # seconds for one video
    min_frames: int = 2  # frames of a usable video
    min_share: float = 0.9  # share of the declared frames of a usable video
    quarantine: Path | None = None  # folder to move broken videos to; None does not move them


class Probe(NamedTuple):
    """Result of probing a file."""

    frames: int = 0  # frames that can be decoded
    promised: int = 0  # frames by the file's header
    flat: bool = False  # whether every sampled frame shows a single colour
    error: str = ""  # reason of a failure
    transient: bool = False  # whether the error does not depend on the file's content

    def fault(self, min_frames: int, min_share: float) -> str | None:
        """Return the reason to leave out the video, or None if it is usable."""
        if self.error:
            return self.error
        if self.frames + FRAME_SLACK < min_share * self.promised:
            return f"truncated: only {self.frames} of {self.promised} frames can be decoded"
        if self.frames < min_frames:
            return f"too short: {self.frames} of the {min_frames} frames asked for"
        return None


def probe_video(path: str) -> Probe:
    """Count a video's frames, and decode some from the first to the last."""
    with open(path, "rb") as file:
        if not file.read(1):
            return Probe(error="is empty (0 bytes)")
    try:
        with closing(open_reader(path)) as reader:
            places = np.linspace(0, reader.num_frames - 1, SAMPLES).round().astype(int)
            pictures = reader.frames(np.unique(places))
            flat = all(np.ptp(picture, axis=(0, 1)).max() <= FLAT for picture in pictures)
            return Probe(reader.num_frames, reader.promised_frames, flat)
    except UnreadableVideoError as error:
        # The path stands beside the reason.
        named = rf"^(The|No frame of the) (video|file) {re.escape(path)} "
        return Probe(error=re.sub(named, "", str(error)).rstrip("."))


def probe_all(
    paths: Iterable[Path], journal: Journal, settings: Settings
) -> tuple[dict[Path, Probe], int]:
    """Probe videos in parallel, except unchanged ones in the journal.

    Failures that do not depend on a file's content (a time limit, a killed process, an unreadable
    file) are not stored, so the next run tries again.

    Returns:
        The result of every video, and the number of videos probed now.
    """
    known: dict[Path, Probe] = {}
    states: dict[str, list[int]] = {}
    for path in paths:
        try:
            state, record = fingerprint(path), journal.get(path)
        except OSError as error:  # a link that leads nowhere, a disk that fails
            known[path] = Probe(error=f"cannot be read: {error.strerror}", transient=True)
            continue
        # An older version's record has other fields.
        if record and set(record) == set(Probe._fields):
            known[path] = Probe(**record)
        else:
            states[str(path)] = state
    with progress_bar("probing", total=len(states)) as advance:
        for name, found in run_isolated(
            probe_video, states, settings.num_workers, settings.timeout
        ):
            if isinstance(found, Failure):
                found = Probe(error=found.reason, transient=found.transient)
            if not found.transient:
                journal.put(Path(name), states[name], found._asdict())
            known[Path(name)] = found
            advance()
    return known, len(states)
