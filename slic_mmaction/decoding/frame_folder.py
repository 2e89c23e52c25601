"""Frames that were extracted to image files."""

from __future__ import annotations

import os.path as osp
import re
from collections.abc import Sequence

import cv2
import numpy as np
from mmengine.fileio import get, list_dir_or_file

from .reader import UnreadableVideoError, VideoReader

# The name that MMAction2's extraction scripts give.
TEMPLATE = "img_{:05}.jpg"


class FrameFolder(VideoReader):
    """Reads the numbered images in a folder.

    Args:
        folder (str): The folder.
        template (str): Name of an image, for ``str.format`` with its number.
        first (int): Number of the image that is frame 0. Defaults to 1.
        num_frames (int, optional): Number of frames. Defaults to what the folder holds.
        backend_args (dict, optional): Of ``mmengine.fileio``.

    Raises:
        UnreadableVideoError: If the folder holds no such image.
    """

    def __init__(
        self,
        folder: str,
        template: str = TEMPLATE,
        first: int = 1,
        num_frames: int | None = None,
        backend_args: dict | None = None,
    ) -> None:
        super().__init__(folder)
        self._template = template
        self._first = first
        self._backend_args = backend_args
        self.num_frames = self._count() if num_frames is None else num_frames
        if self.num_frames < 1:
            raise UnreadableVideoError(
                f"The folder {folder} has no frame named like {template.format(first)}."
            )
        self.promised_frames = self.num_frames

    def read(self, indices: Sequence[int]) -> dict[int, np.ndarray]:
        """See :meth:`VideoReader.read`; a missing image is an error, not an early end."""
        return {index: self._image(index) for index in indices}

    def _image(self, index: int) -> np.ndarray:
        path = osp.join(self.name, self._template.format(self._first + index))
        try:
            content = get(path, backend_args=self._backend_args)
        except FileNotFoundError as error:
            raise UnreadableVideoError(f"The frame {path} does not exist.") from error
        image = (
            cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR) if content else None
        )
        if image is None:
            raise UnreadableVideoError(f"The frame {path} is no readable image.")
        return cv2.cvtColor(image, cv2.COLOR_BGR2RGB)

    def _count(self) -> int:
        before, _, after = re.split(r"(\{[^}]*\})", self._template)
        name = re.compile(re.escape(before) + r"\d+" + re.escape(after))
        try:
            files = list_dir_or_file(
                self.name, list_dir=False, recursive=False, backend_args=self._backend_args
            )
            return sum(name.fullmatch(file) is not None for file in files)
        except FileNotFoundError as error:
            raise UnreadableVideoError(f"The folder {self.name} does not exist.") from error
