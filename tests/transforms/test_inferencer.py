"""MMAction2's ways to recognize one video, with a finetuned model and its config."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.apis import inference_recognizer, init_recognizer
from mmaction.apis.inferencers import MMAction2Inferencer
from mmengine.config import Config
from mmengine.runner import save_checkpoint

from slic_mmaction.decoding import open_reader

TINY = Path(__file__).parents[1] / "data" / "tiny_finetune.py"


def test_inferencer_and_inference_recognizer_agree(video_set: Path, tmp_path: Path) -> None:
    pytest.importorskip("decord")  # MMAction2's inferencer puts DecordInit first
    cfg = Config(Config.fromfile(TINY).to_dict())
    cfg.test_pipeline = cfg.test_dataloader.dataset.pipeline
    config, weights = str(tmp_path / "finetune.py"), str(tmp_path / "finetuned.pth")
    cfg.dump(config)
    torch.manual_seed(0)
    save_checkpoint({"state_dict": init_recognizer(cfg, device="cpu").state_dict()}, weights)

    video = str(video_set / "train_6.mp4")
    expected = inference_recognizer(init_recognizer(config, weights, "cpu"), video).pred_score
    assert expected.shape == (2,) and abs(float(expected[0]) - 0.5) > 1e-4
    frames = np.stack(open_reader(video).frames(range(30)))
    for input_format, given in (("video", video), ("array", frames)):
        recognize = MMAction2Inferencer(
            rec=config, rec_weights=weights, device="cpu", input_format=input_format
        )
        found = recognize(given)["predictions"][0]["rec_scores"][0]
        np.testing.assert_allclose(found, expected.numpy(), rtol=1e-5)
