"""A probe whose decoder dies on one file, as native decoders do."""

from __future__ import annotations

import signal

from slic_mmaction.preparation.probing import Probe, probe_video


def probe(path: str) -> Probe:
    """Probe a video, unless its name asks for a segmentation fault."""
    if "segfault" in path:
        signal.raise_signal(signal.SIGSEGV)
    return probe_video(path)
