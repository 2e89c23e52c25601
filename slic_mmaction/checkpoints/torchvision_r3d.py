"""What torchvision's ``r3d_18`` can hold."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from torch import Tensor

WIDTH = 64
STEM_KERNEL = (3, 7, 7)


def check_r3d18(state: Mapping[str, Tensor], width: int = WIDTH) -> None:
    """Refuse weights that torchvision's ``r3d_18`` has no room for.

    It is the network of SLIC but for its stem, whose kernel is 3x7x7 where SLIC's is
    7x7x7 (torchvision/models/video/resnet.py).

    Args:
        state: Parameters by torchvision's names.
        width: Channels of the first stage. Defaults to torchvision's 64.

    Raises:
        ValueError: If a convolution is missing, has another shape, or is one too many.
    """
    expected = dict(_convolutions(width))
    for name, shape in expected.items():
        found = tuple(state[name].shape) if name in state else None
        if found != shape:
            what = "is missing" if found is None else f"has the shape {found}"
            raise ValueError(
                f"torchvision's r3d_18 needs {name} of shape {shape}, but in this checkpoint it "
                f"{what}: only an R3D-18 of width {width} whose stem is 3x7x7 "
                "(backbone.conv1_kernel=(3, 7, 7)) fits."
            )
    extra = [name for name in state if state[name].ndim == 5 and name not in expected]
    if extra:
        raise ValueError(
            f"torchvision's r3d_18 has no convolution {extra[0]}: the network is deeper than "
            "R3D-18."
        )


def _convolutions(width: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and shape of every convolution of ``r3d_18``."""
    yield "stem.0.weight", (width, 3, *STEM_KERNEL)
    channels = width
    for stage in range(1, 5):
        out = width * 2 ** (stage - 1)
        for block in range(2):
            name = f"layer{stage}.{block}"
            yield f"{name}.conv1.0.weight", (out, channels, 3, 3, 3)
            yield f"{name}.conv2.0.weight", (out, out, 3, 3, 3)
            if channels != out:
                yield f"{name}.downsample.0.weight", (out, channels, 1, 1, 1)
            channels = out
