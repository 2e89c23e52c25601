"""Recognition with a model that embeds videos.

MMAction2 1.2.0 assumes that a model has classes, and its config a ``test_pipeline`` and a
``test_dataloader``. Other models raise an AttributeError that does not name the right config.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

from torch import nn


def repair_recognition() -> bool:
    """Make ``inference_recognizer`` and ``MMAction2Inferencer`` check for classes.

    The function is replaced in every module that has imported it, because a script may do so
    before its config imports this package.
    """
    from mmaction.apis import inference_recognizer
    from mmaction.apis.inferencers import ActionRecogInferencer

    @functools.wraps(inference_recognizer)
    def recognize(model: nn.Module, video: Any, test_pipeline: Any = None) -> Any:
        if test_pipeline is None:
            check_classes(model)
        return inference_recognizer(model, video, test_pipeline)

    @functools.wraps(init_pipeline := ActionRecogInferencer._init_pipeline)
    def init_checked(self: ActionRecogInferencer, cfg: Any) -> Any:
        check_classes(self.model)
        return init_pipeline(self, cfg)

    ActionRecogInferencer._init_pipeline = init_checked
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", {})
        if names.get("inference_recognizer") is inference_recognizer:
            names["inference_recognizer"] = recognize
    return True


def check_classes(model: nn.Module) -> None:
    """Raise a ValueError if the head of a model is a ``SLICHead``."""
    head = type(getattr(model, "cls_head", None))
    if "SLICHead" in [parent.__name__ for parent in head.__mro__]:
        name = getattr(model.cfg, "filename", None) or "The model of this config"
        raise ValueError(
            f"{name} embeds videos and has no classes: to recognize a video, give a finetuning "
            "config such as configs/finetune/slic_r3d_ucf101.py and its checkpoint. For "
            "embeddings, run tools/extract_features.py, or give inference_recognizer a "
            "test_pipeline and read .embedding of its result."
        )
