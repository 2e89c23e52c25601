"""Settings of a call of run.py, and the machine on which it runs."""

from __future__ import annotations

import os
import platform
import re
import time
from dataclasses import dataclass, field
from pathlib import Path

import torch

ROOT = Path(__file__).parents[2]


class OutOfTime(Exception):
    """Raised near the time limit; the remaining measurements are left for the next call."""


@dataclass(frozen=True)
class Settings:
    """Options that measurements depend on.

    Attributes:
        device: Device of the tensors.
        small: Whether to use small sizes for a test on a CPU, whose figures mean nothing.
        data: Folder with ``videos/``, ``train_split1.txt`` and ``test_split1.txt``; None skips
            measurements with videos.
        scratch: Folder for frames and checkpoints.
        time_limit: Seconds from the start of the call until which measurements may run.
        start: Start of the call, by ``time.monotonic()``.
    """

    device: torch.device
    small: bool
    data: Path | None
    scratch: Path
    time_limit: float = float("inf")
    start: float = field(default_factory=time.monotonic)

    def seconds_left(self) -> float:
        """Return the seconds until the time limit; negative after it."""
        return self.start + self.time_limit - time.monotonic()

    def header(self) -> dict[str, object]:
        """Return the machine and the settings, which all figures of a file must share."""
        names = Path("/proc/cpuinfo")
        found = re.search(r"model name\s*: (.+)", names.read_text()) if names.is_file() else None
        cuda = self.device.type == "cuda"
        return dict(
            device=torch.cuda.get_device_name(self.device) if cuda else "cpu",
            small=self.small,
            data=self.data.name if self.data else None,
            torch=torch.__version__,
            cudnn=torch.backends.cudnn.version() if cuda else None,
            python=platform.python_version(),
            processor=found[1] if found else platform.machine(),
            cores=os.cpu_count(),
        )
