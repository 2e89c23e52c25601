"""Stands in for ``mmaction.models.localizers.drn`` (mmaction2 issue 2714)."""

from __future__ import annotations

from mmaction.registry import MODELS
from torch import nn


class DRN(nn.Module):
    """The name without the network: building it says what is missing.

    Raises:
        NotImplementedError: Always.
    """

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__()
        raise NotImplementedError(
            "DRN is not part of the mmaction2 1.2.0 wheel on PyPI (mmaction2 issue 2714): "
            "install mmaction2 from its source repository to use it."
        )


# The file is served as the package and as its submodule: the name is registered once.
if "DRN" not in MODELS.module_dict:
    MODELS.register_module(module=DRN)
