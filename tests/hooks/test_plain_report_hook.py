"""What a person reads of a training without labels."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from mmengine.config import Config

from slic_mmaction.hooks import PlainReportHook, plain_report_hook

from ..runs import train


def test_lines_of_a_run(
    tiny_config: Callable[..., Config], capfd: pytest.CaptureFixture, monkeypatch
) -> None:
    """Real epochs and clusterings; then made-up losses, of which a triplet loss stands still."""
    monkeypatch.setattr(plain_report_hook, "_PATIENCE", 0)  # five epochs

    class Scripted(PlainReportHook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None) -> None:
            assert {"loss", "mean_cosine", "violating_share"} <= set(outputs)
            share = 0.5 if runner.epoch >= 4 else 1 / (runner.epoch + 1)
            figures = dict(loss=0.2, mean_cosine=0.25, violating_share=share)
            made = {name: torch.tensor(value) for name, value in figures.items()}
            super().after_train_iter(runner, batch_idx, data_batch, made)

    cfg = tiny_config(train_cfg__max_epochs=10)
    train(cfg, Scripted())
    said = [line for line in capfd.readouterr().out.splitlines() if "mmengine" not in line]
    clusters = [line for line in said if line.startswith("clusters: ")]
    assert "of 8 videos, the largest of" in clusters[0]
    assert all("agreement with the clusters before" in line for line in clusters[1:])
    epochs = [line for line in said if line.startswith("epoch ")]
    assert len(epochs) == 10
    assert epochs[0].startswith("epoch 1 of 10: loss 0.2000, spread 0.75, ")
    assert epochs[-1].endswith("under 1 min left")
    (still,) = [line for line in said if line.startswith("The loss has not fallen for 5 epochs")]
    # It last improved at the fourth epoch, by fewer violating negatives.
    assert said.index(epochs[8]) < said.index(still) < said.index(epochs[9])
