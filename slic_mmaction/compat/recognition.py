"""Asking a model that embeds videos for the class of one.

MMAction2 1.2.0 takes for granted that a config has a ``test_pipeline`` and a ``test_dataloader``,
and that its model has classes. With a pretraining config ``inference_recognizer`` and
``MMAction2Inferencer`` end in an AttributeError that does not say which config to take instead.
"""

from __future__ import annotations

import functools
import sys
from typing import Any

from mmengine.config import Config
from torch import nn


def repair_recognition() -> bool:
    """Let MMAction2's two ways to recognize a video say what they need.

    A script may have imported ``inference_recognizer`` before its config imports this package, so
    that it is replaced wherever it has been imported.
    """
    from mmaction.apis import inference_recognizer
    from mmaction.apis.inferencers import ActionRecogInferencer

    init_pipeline = ActionRecogInferencer._init_pipeline

    @functools.wraps(inference_recognizer)
    def recognize(model: nn.Module, video: str | dict, test_pipeline: Any = None) -> Any:
        if test_pipeline is None:
            check_classes(model)
        return inference_recognizer(model, video, test_pipeline)

    @functools.wraps(init_pipeline)
    def init_pipeline_of_classifier(self: ActionRecogInferencer, cfg: Config) -> Any:
        check_classes(self.model)
        return init_pipeline(self, cfg)

    ActionRecogInferencer._init_pipeline = init_pipeline_of_classifier
    for module in list(sys.modules.values()):
        names = getattr(module, "__dict__", {})
        if names.get("inference_recognizer") is inference_recognizer:
            names["inference_recognizer"] = recognize
    return True


def check_classes(model: nn.Module) -> None:
    """Check that a model which is to recognize a video has classes.

    Raises:
        ValueError: If its head is a ``SLICHead``.
    """
    head = type(getattr(model, "cls_head", None))
    if "SLICHead" in [parent.__name__ for parent in head.__mro__]:
        config = getattr(model.cfg, "filename", None) or "this config"
        raise ValueError(
            f"The model of {config} embeds videos and knows no classes: to recognize a video give "
            "a finetuning config, as configs/finetune/slic_r3d_ucf101.py, and its checkpoint; for "
            "embeddings run tools/extract_features.py, or give inference_recognizer a "
            "test_pipeline and read .embedding of its result."
        )
