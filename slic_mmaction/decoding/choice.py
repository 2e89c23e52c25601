"""Which decoder opens a video."""

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
# Before it, PyAV's conversion to RGB starts a thread for each core, for each frame.
MIN_PYAV = 17


@cache
def is_usable(decoder: str) -> bool:
    """Whether a decoder is installed, in a version that serves. Both need PyAV."""
    try:
        pyav = int(version("av").split(".")[0])
    except PackageNotFoundError:
        return False
    # decord2 is a maintained fork of decord, with the same module.
    return pyav >= MIN_PYAV if decoder == "pyav" else find_spec("decord") is not None


def choose_decoder(decoder: str) -> str:
    """Check a decoder by name; ``'auto'`` is PyAV, or decord where PyAV is too old.

    Raises:
        ValueError: If there is no such decoder.
        ImportError: If it is not installed.
    """
    if decoder == "auto":
        decoder = "decord" if is_usable("decord") and not is_usable("pyav") else "pyav"
    if decoder not in (*DECODERS, RAW_FRAMES):
        raise ValueError(
            f"There is no decoder {decoder!r}; there are 'auto', {RAW_FRAMES!r} and "
            f"{', '.join(map(repr, DECODERS))}."
        )
    if decoder in DECODERS and not is_usable(decoder):
        wanted = f"'av>={MIN_PYAV}'" if decoder == "pyav" else "av decord"
        raise ImportError(f"Decoder {decoder!r} is not installed: pip install {wanted}.")
    return decoder


def open_reader(
    filename: str, decoder: str = "auto", num_threads: int = 1, backend_args: dict | None = None
) -> VideoReader:
    """Open a video: a file, or a folder of its frames as images.

    Args:
        filename: Path or URI.
        decoder: ``'auto'``, ``'pyav'``, ``'decord'``, or ``'rawframes'`` for the images in the
            folder that is named as the file without its suffix. A path that is a folder is read
            as one, whatever is set.
        num_threads: Decoding threads.
        backend_args: Of ``mmengine.fileio``; a local file is read by the decoder itself, any
            other is fetched first.

    Raises:
        UnreadableVideoError: If the file does not exist or holds no video.
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
