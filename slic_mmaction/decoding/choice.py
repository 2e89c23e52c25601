"""Which decoder opens a video."""

from __future__ import annotations

import os
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from mmengine.fileio import LocalBackend, get_file_backend

from .decord_reader import DecordReader
from .opencv_reader import OpenCVReader
from .pyav_reader import PyAVReader
from .reader import UnreadableVideoError, VideoReader

# Fastest first, by CPU time of a training sample: docs/decoding.md has the table.
DECODERS: dict[str, type[PyAVReader | OpenCVReader | DecordReader]] = {
    "pyav": PyAVReader,
    "opencv": OpenCVReader,
    "decord": DecordReader,
}
MODULES = {"pyav": "av", "opencv": "cv2", "decord": "decord"}
# Before it, PyAV's conversion to RGB starts a thread for each core, for each frame.
MIN_PYAV = 17


@cache
def is_usable(decoder: str) -> bool:
    """Whether a decoder is installed, in a version that serves."""
    if find_spec(MODULES[decoder]) is None:
        return False
    if decoder != "pyav":
        return True
    try:
        return int(version("av").split(".")[0]) >= MIN_PYAV
    except PackageNotFoundError:
        return False


def choose_decoder(decoder: str, from_memory: bool = False) -> str:
    """Resolve ``'auto'`` and check a decoder by name.

    Args:
        decoder (str): ``'auto'``, ``'pyav'``, ``'opencv'`` or ``'decord'``.
        from_memory (bool): Whether videos come as bytes, which OpenCV cannot read.

    Returns:
        str: The decoder's name; for ``'auto'`` the fastest that is installed.

    Raises:
        ValueError: If there is no such decoder.
        ImportError: If it is not installed.
    """
    if decoder == "auto":
        able = [name for name in DECODERS if not (from_memory and name == "opencv")]
        usable = [name for name in able if is_usable(name)]
        if not usable:
            raise ImportError(f"None of the decoders {able} is installed: pip install 'av>=17'.")
        return usable[0]
    if decoder not in DECODERS:
        raise ValueError(
            f"There is no decoder {decoder!r}; there are 'auto', 'rawframes' and "
            f"{', '.join(map(repr, DECODERS))}."
        )
    if not is_usable(decoder):
        wanted = f"av>={MIN_PYAV}" if decoder == "pyav" else decoder
        raise ImportError(f"Decoder {decoder!r} is not installed: pip install '{wanted}'.")
    return decoder


def open_reader(
    filename: str, decoder: str = "auto", num_threads: int = 1, backend_args: dict | None = None
) -> VideoReader:
    """Open a video file.

    Args:
        filename (str): Path or URI.
        decoder (str): See :func:`choose_decoder`.
        num_threads (int): Decoding threads.
        backend_args (dict, optional): Of ``mmengine.fileio``; a local file is read by the
            decoder itself, any other is fetched first.

    Returns:
        VideoReader: The open video.

    Raises:
        UnreadableVideoError: If the file does not exist or holds no video.
    """
    storage = get_file_backend(filename, backend_args=backend_args)
    source: str | bytes = filename
    if isinstance(storage, LocalBackend):
        if not os.path.isfile(filename):
            raise UnreadableVideoError(f"The video {filename} does not exist.")
    else:
        source = storage.get(filename)
    reader = DECODERS[choose_decoder(decoder, isinstance(source, bytes))]
    return reader(filename, source, num_threads)
