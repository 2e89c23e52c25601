"""Frames that were extracted to image files."""

from __future__ import annotations

import os.path as osp
import re
from collections.abc import Sequence

import cv2
import numpy as np
from mmengine.fileio import get, list_dir_or_file

from .reader import UnreadableVideoError, VideoReader

# The names that MMAction2's extraction scripts give: img_00001.jpg, img_00002.jpg, ...
_MMACTION2 = re.compile(r"img_\d+\.jpg")
_IMAGE = re.compile(r"[^.].*\.(jpe?g|png)", re.IGNORECASE)


class FrameFolder(VideoReader):
    """Reads the images in a folder.

    Args:
        folder: The folder.
        template: Name of an image, for ``str.format`` with its number. Without it frames are
            the images that MMAction2's scripts have made, if there are any (flow may lie beside
            them), else all images, in the order of the numbers in their names.
        first: With a template, the number of the image that is frame 0.
        num_frames: With a template, the number of frames.
        backend_args: Of ``mmengine.fileio``.

    Raises:
        UnreadableVideoError: If the folder holds no image.
    """

    def __init__(
        self,
        folder: str,
        template: str | None = None,
        first: int = 1,
        num_frames: int = 0,
        backend_args: dict | None = None,
    ) -> None:
        super().__init__(folder)
        self._backend_args = backend_args
        if template is None:
            self._names = self._images()
        else:
            self._names = [template.format(first + i) for i in range(num_frames)]
        self.num_frames = self.promised_frames = len(self._names)
        if not self._names:
            raise UnreadableVideoError(
                f"The folder {folder} has no frame named like img_00001.jpg, nor any other image."
            )

    def read(self, indices: Sequence[int]) -> dict[int, np.ndarray]:
        """See :meth:`VideoReader.read`; a missing image is an error, not an early end."""
        return {index: self._image(self._names[index]) for index in indices}

    def _image(self, name: str) -> np.ndarray:
        path = osp.join(self.name, name)
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

    def _images(self) -> list[str]:
        try:
            files = list(
                list_dir_or_file(
                    self.name, list_dir=False, recursive=False, backend_args=self._backend_args
                )
            )
        except FileNotFoundError as error:
            raise UnreadableVideoError(f"The folder {self.name} does not exist.") from error
        for pattern in (_MMACTION2, _IMAGE):
            names = [file for file in files if pattern.fullmatch(file)]
            if names:
                break
        return sorted(names, key=lambda name: [int(n) for n in re.findall(r"\d+", name)])
