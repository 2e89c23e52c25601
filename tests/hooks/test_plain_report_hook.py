"""What a person reads of a run."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from mmengine.config import Config

from slic_mmaction.hooks import PlainReportHook, plain_report_hook

from ..runs import log_of, train


def test_lines_of_a_run(
    tiny_config: Callable[..., Config], capfd: pytest.CaptureFixture, monkeypatch
) -> None:
    """Real epochs and clusterings; made-up losses, of which a triplet loss stands still."""
    monkeypatch.setattr(plain_report_hook, "_PATIENCE", 0)  # five epochs
    monkeypatch.setattr(plain_report_hook, "SLOW_INTERVAL", 0)
    real = PlainReportHook.after_train_iter

    def scripted(hook, runner, batch_idx, data_batch=None, outputs=None) -> None:
        assert {"loss", "mean_cosine", "violating_share"} <= set(outputs)
        share = 0.5 if runner.epoch >= 4 else 1 / (runner.epoch + 1)
        figures = dict(loss=0.2, mean_cosine=0.25, violating_share=share)
        made = {name: torch.tensor(value) for name, value in figures.items()}
        real(hook, runner, batch_idx, data_batch, made)

    monkeypatch.setattr(PlainReportHook, "after_train_iter", scripted)
    cfg = tiny_config(train_cfg__max_epochs=10, train_cfg__val_interval=5, param_scheduler=[])
    cfg.custom_hooks[0].begin = 1
    cfg.custom_hooks.append(dict(type="InitialValidationHook"))
    runner = train(cfg)
    runner.logger.warning("this is deprecated")
    runner.logger.warning("this is said")
    output, errors = capfd.readouterr()
    said = output.splitlines()
    assert said[0].startswith("training: ")
    assert said[0].endswith("tiny_slic.py, 8 videos, 10 epochs of 2 steps, on the CPU")
    assert said[1] == f"log: {runner.log_dir}/{runner.timestamp}.log"
    assert said[2].startswith("validation before the first epoch: R@1 ")
    assert said[2].endswith("(chance 50.0 %), R@5 100.0 % (chance 100.0 %)")
    clusters = [line for line in said if line.startswith("clusters: ")]
    assert "of 8 videos, the largest of" in clusters[0] and "agreement" not in clusters[0]
    assert all("agreement with the clusters before" in line for line in clusters[1:])
    epochs = [line for line in said if line.startswith("epoch ")]
    assert len(epochs) == 10
    assert epochs[0].startswith("epoch 1 of 10: loss 0.2000, spread 0.75, ")
    assert epochs[8].endswith(" left") and epochs[9].endswith(" s an epoch")
    (still,) = [line for line in said if line.startswith("The loss has not fallen for 5 epochs")]
    # It last improved at the fourth epoch, by fewer violating negatives.
    assert said.index(epochs[8]) < said.index(still) < said.index(epochs[9])
    validations = [line for line in said if line.startswith("validation ")]
    assert len(validations) == 2 and validations[1].startswith("validation after epoch 5: R@1 ")
    end = said.index("retrieval (protocol center, 4 frames, 16px): 4 queries in 8 gallery videos")
    assert [line.split()[0] for line in said[end + 1 : end + 4]] == ["this", "R@1", "R@5"]
    assert said[end + 2].endswith(" %    50.0 %")
    assert said[end + 4 :] == [f"checkpoint: {cfg.work_dir}/epoch_10.pth", "WARNING: this is said"]
    # While it ran, lines on the standard error stream; all that MMEngine says in the file.
    lines = [line.partition(",")[0] for line in errors.splitlines()]
    assert {"epoch 1: 1 of 2", "epoch 10: 2 of 2", "validation: 1 of 3"} <= set(lines)
    log = log_of(runner)
    assert "mmengine" not in output and log.count("Epoch(train)") == 10
    assert "System environment:" in log and "type='PseudoLabelHook'" in log
