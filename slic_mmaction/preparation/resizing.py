"""Scaling one video to a short side, frame for frame.

The ``ffmpeg`` program does it where it is installed, else PyAV, which brings FFmpeg's
libraries. The result is H.264 in .mp4 without sound, with a key frame every 16 frames, as
MMAction2's ``resize_videos.py --dense``: in a file of UCF101, which has one key frame, a clip
from the end takes more than twice the decoding of one from the beginning.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from .probing import fault, probe_video
from .resize_backends import resize_by_ffmpeg, resize_by_pyav


@dataclass(frozen=True)
class Scaling:
    """How videos are scaled.

    Args:
        short_side (int): Pixels of the shorter side; both sides are rounded to even numbers,
            as H.264 needs.
        upscale (bool): Whether smaller videos are enlarged.
        crf (int): Quality of x264, 0 to 51; lower is better and larger.
    """

    short_side: int
    upscale: bool
    crf: int

    def filter(self) -> str:
        """FFmpeg filter; it sees a frame after the rotation that a phone noted."""
        side = str(self.short_side // 2 * 2)
        width, height = (
            side if self.upscale else f"min({side},trunc({dim}/2)*2)" for dim in ("iw", "ih")
        )
        wider = "gt(iw,ih)"
        return f"scale=w='if({wider},-2,{width})':h='if({wider},{height},-2)':flags=bicubic"


def resize_video(
    job: tuple[str, str], scaling: Scaling, ffmpeg: str | None, timeout: float
) -> None:
    """Scale a video; the result appears whole and checked, or not at all.

    Args:
        job (tuple[str, str]): Source and target, a .mp4.
        scaling (Scaling): How.
        ffmpeg (str | None): The program; None for PyAV.
        timeout (float): Seconds that ``ffmpeg`` may take.

    Raises:
        ValueError: If the source does not decode, or the result has other frames than it.
    """
    source, target = map(Path, job)
    before = probe_video(str(source))
    if reason := fault(before, min_frames=1, min_share=0.9):
        raise ValueError(reason)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.part")
    if ffmpeg is None:
        resize_by_pyav(source, temporary, scaling.filter(), scaling.crf)
    else:
        resize_by_ffmpeg(ffmpeg, source, temporary, scaling.filter(), scaling.crf, timeout)
    after = probe_video(str(temporary))
    if after.frames != before.frames:
        temporary.unlink()
        raise ValueError(f"{before.frames} frames became {after.frames}; left as it is")
    os.replace(temporary, target)
