"""Random draws that depend on nothing but (seed, epoch, index)."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def sample_seed(seed: int, epoch: int, index: int, attempt: int = 0) -> int:
    """Mix a run's seed, an epoch and a sample's index into one 63-bit seed.

    Args:
        seed (int): Seed of the run, not negative.
        epoch (int): 0-based epoch.
        index (int): Index of the sample in its dataset.
        attempt (int): How many draws of the sample had to be given up. Defaults to 0.

    Returns:
        int: A seed in ``[0, 2**63)``.
    """
    state = np.random.SeedSequence((seed, epoch, index, attempt)).generate_state(1, np.uint64)
    return int(state[0] >> np.uint64(1))


@contextmanager
def seeded_draws(seed: int) -> Iterator[None]:
    """Seed Python's, NumPy's and torch's global generators, then put them back.

    Any transform, ours or stock, thereby draws the same for the same sample in the
    same epoch, whatever the number of workers and however often a run was resumed
    (MMEngine seeds its workers without regard to the epoch). Restoring keeps the
    main process's own draws intact with ``num_workers=0``.

    Args:
        seed (int): A seed of :func:`sample_seed`.
    """
    python_state, numpy_state = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        np.random.seed(np.array([seed & 0xFFFFFFFF, seed >> 32], dtype=np.uint32))
        torch.random.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python_state)
            np.random.set_state(numpy_state)
