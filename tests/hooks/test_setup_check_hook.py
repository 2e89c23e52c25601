from __future__ import annotations

import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.runner import Runner
from torch.utils.data import DataLoader, Dataset

from slic_mmaction.hooks.setup_check_hook import check_shared_memory


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            dict(train_dataloader__batch_size=64, train_dataloader__drop_last=True),
            r"no batch to train on: 8 videos on 1 rank are fewer than a batch of 64",
        ),
        (
            dict(train_dataloader__sampler=dict(_delete_=True, type="InfiniteSampler")),
            r"never ends with train_dataloader.sampler.type='InfiniteSampler'",
        ),
        (
            dict(val_dataloader__dataset__query__ann_file="unlabelled"),
            r"one class for each query video, but some in .*unlabelled.txt have none",
        ),
    ],
)
def test_what_could_not_end_well_is_refused_before_the_first_epoch(
    tiny_config, video_set, tmp_path, options: dict, sentence: str
) -> None:
    cfg = tiny_config(**options)
    if "val_dataloader__dataset__query__ann_file" in options:
        path = tmp_path / "unlabelled.txt"
        path.write_text((video_set / "test.txt").read_text().replace(" 1\n", " -1\n"))
        cfg.val_dataloader.dataset.query.ann_file = str(path)
    runner = Runner.from_cfg(cfg)
    with pytest.raises(ValueError, match=sentence):
        runner.train()
    assert runner.iter == 0
    assert not list((tmp_path / "work").glob("*.pth"))


@pytest.mark.parametrize(
    ("options", "warning"),
    [
        (dict(), "An update uses 4 videos (1 rank x batch_size 4), but the learning rate"),
        (
            dict(optim_wrapper__accumulative_counts=2),
            "An update uses 8 videos (1 rank x batch_size 4 x 2 accumulated), but the learning "
            "rate is for 32: set train_dataloader.batch_size=16",
        ),
        (dict(train_dataloader__batch_size=32), None),
        (dict(auto_scale_lr__enable=True), None),
    ],
)
def test_a_batch_that_the_learning_rate_is_not_meant_for_is_said(
    tiny_config, caplog, monkeypatch, options: dict, warning: str | None
) -> None:
    cfg = tiny_config(auto_scale_lr=dict(base_batch_size=32), **options)
    cfg.train_cfg.max_epochs = 1
    cfg.default_hooks.checkpoint.interval = 2  # a multiple of what is accumulated
    runner = Runner.from_cfg(cfg)
    said: list[str] = []
    monkeypatch.setattr(runner.logger, "warning", said.append)
    runner.train()
    said = [line for line in said if "An update uses" in line]
    assert len(said) == (warning is not None)
    assert warning is None or said[0].startswith(warning)


class Samples(Dataset):
    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> dict:
        random.random(), np.random.rand(), torch.rand(1)
        return dict(inputs=torch.zeros(3, 1000, dtype=torch.uint8), data_samples=object())


@pytest.mark.parametrize(
    ("workers", "ranks", "needed"), [(0, 1, 0), (1, 1, 3 * 6000), (2, 4, 4 * 5 * 6000)]
)
def test_batches_on_their_way_must_fit_into_shared_memory(
    tmp_path, monkeypatch, workers: int, ranks: int, needed: int
) -> None:
    """3,000 bytes a sample, two samples a batch, two batches of each worker and one more."""
    loader = DataLoader(Samples(), batch_size=2, num_workers=workers)
    # From torchrun or srun.
    monkeypatch.delenv("LOCAL_WORLD_SIZE", raising=False)
    name = "SLURM_NTASKS_PER_NODE" if workers == 2 else "LOCAL_WORLD_SIZE"
    monkeypatch.setenv(name, str(ranks))
    free = SimpleNamespace(free=needed)
    monkeypatch.setattr("shutil.disk_usage", lambda path: free)
    torch.manual_seed(0)
    check_shared_memory(loader)
    assert float(torch.rand(1)) == float(torch.rand(1, generator=torch.Generator().manual_seed(0)))
    if needed:
        free.free -= 1
        with pytest.raises(OSError, match=r"MB free: start the container with --shm-size=1g"):
            check_shared_memory(loader)
