"""Reading frames from image files."""

from __future__ import annotations

import os.path as osp
import re
from collections.abc import Sequence

import cv2
import numpy as np
from mmengine.fileio import get, list_dir_or_file

from .reader import UnreadableVideoError, VideoReader

# Names from MMAction2's extraction scripts: img_00001.jpg, img_00002.jpg, ...
_MMACTION2 = re.compile(r"img_\d+\.jpg")
_IMAGE = re.compile(r"[^.].*\.(jpe?g|png)", re.IGNORECASE)


class FrameFolder(VideoReader):
    """Reader of the images in a folder.

    Args:
        folder: Path of the folder.
        template: Template for the name of an image, for ``str.format`` with its number. By
            default frames are the images of MMAction2's scripts, if there are any (flow may be
            beside them), or else all images, in the order of the numbers in their names.
        first: Number of the image of frame 0; only used with a template.
        num_frames: Number of frames; only used with a template.
        backend_args: Storage backend for ``mmengine.fileio``.

    Raises:
        UnreadableVideoError: If the folder does not exist or has no image.

    Examples:
        >>> import cv2
        >>> from pathlib import Path
        >>> from slic_mmaction.decoding import FrameFolder
        >>> Path("walk_1").mkdir()
        >>> cv2.imwrite("walk_1/img_00001.jpg", np.zeros((32, 40, 3), np.uint8))
        True
        >>> FrameFolder("walk_1").frames([0])[0].shape
        (32, 40, 3)
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
        """Decode frames as :meth:`VideoReader.read`; a missing image is an error, not the end."""
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
            raise UnreadableVideoError(f"The frame {path} cannot be decoded.")
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
