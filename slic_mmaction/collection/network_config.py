"""Reading the sampling and the transforms of clips from the config of a recognizer."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mmengine.config import Config

from .windows import Sampling

_SPREAD = ("UniformSample", "UniformSampleFrames")
_DECODERS = (
    "DecodeFrames", "DecordDecode", "PyAVDecode", "OpenCVDecode", "RawFrameDecode",
)  # fmt: skip
_CROPS = ("ThreeCrop", "TenCrop")


def read_config(path: Path) -> Config:
    """Read a config file.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If it is not a config.
    """
    if not path.is_file():
        raise FileNotFoundError(f"There is no config at {path}.")
    if path.suffix != ".py":
        raise ValueError(
            f"{path} is not a config of MMAction2 (.py): give one with the checkpoint."
        )
    try:
        return Config.fromfile(str(path))
    except SyntaxError as error:
        raise ValueError(
            f"The config {path} cannot be read: {error.msg} (line {error.lineno})."
        ) from error


def without_pretraining(model: Mapping) -> dict[str, Any]:
    """Return the config of a model without the download of pretrained weights."""
    backbone = {k: v for k, v in model["backbone"].items() if k != "init_cfg"}
    backbone |= {"pretrained": None} if "pretrained" in backbone else {}
    backbone |= {"pretrained2d": False} if "pretrained2d" in backbone else {}
    return dict(model, backbone=backbone)


def read_pipeline(cfg: Config) -> tuple[Sampling, list[dict]]:
    """Return the sampling and the transforms after decoding of a config's evaluation pipeline.

    Raises:
        ValueError: If no pipeline of the config samples and decodes frames.
    """
    hooks = cfg.get("custom_hooks") or []
    candidates = [hook.get("pipeline") for hook in hooks if hook.get("type") == "PseudoLabelHook"]
    for loader in ("test_dataloader", "val_dataloader"):
        candidates.append(((cfg.get(loader) or {}).get("dataset") or {}).get("pipeline"))
    candidates.append(cfg.get("embed_pipeline"))
    for pipeline in filter(None, candidates):
        steps = [step.to_dict() if hasattr(step, "to_dict") else dict(step) for step in pipeline]
        names = [str(step["type"]).rsplit(".", 1)[-1] for step in steps]
        sampler = next((s for s, n in zip(steps, names) if "Sample" in n), None)
        decoding = [i for i, name in enumerate(names) if name in _DECODERS]
        if sampler is not None and decoding:
            after = steps[decoding[-1] + 1 :]
            for step in after:
                if step["type"] in _CROPS:
                    step["type"] = "CenterCrop"
            return _sampling(sampler), after
    raise ValueError(
        f"{cfg.filename or 'The config'} has no evaluation pipeline that samples and decodes "
        "frames: give a config with a test_dataloader."
    )


def _sampling(sampler: Mapping) -> Sampling:
    frames, clips = sampler.get("clip_len", 16), sampler.get("num_clips") or 1
    if str(sampler["type"]).rsplit(".", 1)[-1] in _SPREAD:
        return Sampling(frames, None)
    if frames == 1:
        return Sampling(clips, None, separate=True)
    return Sampling(frames, sampler.get("frame_interval", 1))
