"""Choosing the decoder of a video."""

from __future__ import annotations

import os
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from mmengine.fileio import LocalBackend, get_file_backend

from .decord_reader import DecordReader
from .frame_folder import FrameFolder
from .pyav_reader import PyAVReader
from .reader import UnreadableVideoError, VideoReader

DECODERS: dict[str, type[PyAVReader | DecordReader]] = {"pyav": PyAVReader, "decord": DecordReader}
RAW_FRAMES = "rawframes"
# Older versions of PyAV start a thread for each core to convert a frame to RGB.
MIN_PYAV = 17


@cache
def is_usable(decoder: str) -> bool:
    """Return whether a decoder is installed in a usable version. Both need PyAV."""
    try:
        pyav = int(version("av").split(".")[0])
    except PackageNotFoundError:
        return False
    # decord2 is a maintained fork of decord, with the same module.
    return pyav >= MIN_PYAV if decoder == "pyav" else find_spec("decord") is not None


def choose_decoder(decoder: str) -> str:
    """Check the name of a decoder; ``'auto'`` becomes PyAV, or decord if PyAV is too old.

    Raises:
        ValueError: If the decoder is unknown.
        ImportError: If the decoder is not installed.

    Examples:
        >>> from slic_mmaction.decoding import choose_decoder
        >>> choose_decoder("pyav")
        'pyav'
    """
    if decoder == "auto":
        decoder = "decord" if is_usable("decord") and not is_usable("pyav") else "pyav"
    if decoder not in (*DECODERS, RAW_FRAMES):
        raise ValueError(
            f"There is no decoder {decoder!r}: choose from 'auto', {RAW_FRAMES!r} and "
            f"{', '.join(map(repr, DECODERS))}."
        )
    if decoder in DECODERS and not is_usable(decoder):
        wanted = f"'av>={MIN_PYAV}'" if decoder == "pyav" else "av decord"
        raise ImportError(f"Decoder {decoder!r} is not installed: pip install {wanted}.")
    return decoder


def open_reader(
    filename: str, decoder: str = "auto", num_threads: int = 1, backend_args: dict | None = None
) -> VideoReader:
    """Open a video file, or a folder of frames as images.

    Args:
        filename: Path or URI.
        decoder: ``'auto'``, ``'pyav'``, ``'decord'``, or ``'rawframes'`` for the images in the
            folder with the file's name without its suffix. The path of a folder is always read as
            raw frames.
        num_threads: Number of decoding threads.
        backend_args: Storage backend for ``mmengine.fileio``. The decoder reads local files
            itself; other files are downloaded first.

    Returns:
        A reader. Close it, or use ``contextlib.closing``.

    Raises:
        UnreadableVideoError: If the file does not exist or has no video.

    Examples:
        >>> from slic_mmaction.decoding import open_reader
        >>> reader = open_reader("videos/walk_1.mp4")
        >>> reader.num_frames, reader.avg_fps
        (50, 25.0)
        >>> reader.frames([0, 49])[1].shape
        (32, 40, 3)
        >>> reader.close()
    """
    decoder = choose_decoder(decoder)
    if decoder == RAW_FRAMES:
        return FrameFolder(os.path.splitext(filename)[0], backend_args=backend_args)
    storage = get_file_backend(filename, backend_args=backend_args)
    if not isinstance(storage, LocalBackend):
        return DECODERS[decoder](filename, storage.get(filename), num_threads)
    if os.path.isdir(filename):
        return FrameFolder(filename, backend_args=backend_args)
    if not os.path.isfile(filename):
        raise UnreadableVideoError(f"The video {filename} does not exist.")
    return DECODERS[decoder](filename, filename, num_threads)
