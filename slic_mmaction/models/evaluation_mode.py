"""A context manager for evaluation mode."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Switch a network to evaluation mode, and each module back to its own mode at the end.

    Modes are restored module by module, without ``train()``: frozen stages stay in evaluation
    mode, and the side effects that ``train()`` has in some of MMAction2's backbones are avoided.
    """
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, mode in modes.items():
            module.training = mode
