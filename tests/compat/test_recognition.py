from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import mmaction.apis
import pytest
from mmaction.apis import init_recognizer
from mmaction.apis.inferencers import ActionRecogInferencer, MMAction2Inferencer
from mmengine.dataset import Compose

from slic_mmaction.compat.recognition import repair_recognition

ROOT = Path(__file__).parents[2]


def test_who_asks_a_pretraining_config_for_classes_is_told_what_to_give(
    video_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # As in a script that has imported MMAction2's function before its config imports this package.
    script = ModuleType("script")
    stock = mmaction.apis.inference_recognizer.__wrapped__
    script.inference_recognizer = stock
    monkeypatch.setitem(sys.modules, "script", script)
    monkeypatch.setattr(mmaction.apis, "inference_recognizer", stock)
    stock_pipeline = ActionRecogInferencer._init_pipeline.__wrapped__
    monkeypatch.setattr(ActionRecogInferencer, "_init_pipeline", stock_pipeline)
    assert repair_recognition()

    video = str(video_set / "train_3.mp4")
    # Of the paper; one with a test_pipeline; one whose test extracts features.
    for name in ("slic_r3d_slim_ucf101", "backbones/slic_x3d_ucf101", "retrieval/slic_r3d_ucf101"):
        config = str(ROOT / "configs" / f"{name}.py")
        sentence = rf"{name}\.py embeds videos.* give a finetuning config.*tools/extract_features"
        with pytest.raises(ValueError, match=sentence):
            MMAction2Inferencer(rec=config, device="cpu")
        model = init_recognizer(config, device="cpu")
        for module in (script, mmaction.apis):
            with pytest.raises(ValueError, match=sentence):
                module.inference_recognizer(model, video)


def test_an_embedding_comes_from_a_pipeline_that_is_given(video_set: Path, tiny_config) -> None:
    cfg = tiny_config()
    model = init_recognizer(cfg, device="cpu")
    pipeline = Compose(cfg.custom_hooks[0].pipeline)
    found = mmaction.apis.inference_recognizer(model, str(video_set / "train_3.mp4"), pipeline)
    assert found.embedding.shape == (8,)
