"""The views of a sample and the clips of a video are not mixed, nor the frames of 2D networks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from mmengine.runner import Runner
from torch import Tensor, nn

from slic_mmaction.evaluation import load_features

pytestmark = pytest.mark.slow

IN_2D = ["tsn", "tsm", "mobilenet_v2_tsm"]
FAMILIES = [*IN_2D, "slowfast", "swin", "mvit"]


class Spy(nn.Module):
    """In the place of the losses: keeps what they get."""

    def forward(self, embeddings: Tensor, labels: Tensor, generator: object) -> dict[str, Tensor]:
        self.embeddings = embeddings
        return dict(loss=embeddings.sum())


def settle(model: nn.Module, batch: dict) -> None:
    """Take BatchNorm's statistics from a batch: without any, deep networks answer all the same."""
    for module in model.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            module.momentum = None
    with torch.no_grad():
        model.train()
        model(**model.data_preprocessor(batch, training=False))
        model.eval()


def rows_of_a_clip(model: nn.Module) -> int:
    """Rows of a clip in a video's inputs: its frames for a 2D network."""
    return model.cls_head.num_segments or 1


def embed_alone(model: nn.Module, clip: Tensor) -> Tensor:
    with torch.no_grad():
        (sample,) = model.test_step(dict(inputs=[clip], data_samples=[ActionDataSample()]))
    return sample.embedding


@pytest.fixture
def runner_of(small_backbone: Callable[[str], Config], tmp_path: Path) -> Callable[[str], Runner]:
    def make(family: str) -> Runner:
        cfg = small_backbone(f"slic_{family}_ucf101")
        for step in cfg.test_dataloader.dataset.pipeline:
            if step.type == "SampleProtocolClips":
                step.num_clips = 10
        cfg.test_cfg.clips_per_pass = 7  # passes begin and end within videos
        return Runner.from_cfg(cfg)

    return make


@pytest.mark.parametrize("family", FAMILIES)
def test_a_video_is_the_mean_of_its_clips(family: str, runner_of, tmp_path: Path) -> None:
    runner = runner_of(family)
    model = runner.model
    settle(model, next(iter(runner.test_dataloader)))
    runner.test()
    alone: dict[str, Tensor] = {}
    together: dict[str, Tensor] = {}
    for batch in runner.test_dataloader:
        assert len(batch["inputs"]) > 1
        for views, sample in zip(batch["inputs"], batch["data_samples"]):
            clips = views.split(rows_of_a_clip(model))
            assert len(clips) == 10
            alone[sample.video] = torch.stack([embed_alone(model, clip) for clip in clips])
        with torch.no_grad():
            samples = model.test_step(batch)
        together.update((sample.video, sample.embedding) for sample in samples)
    # Of a video of one or two clips' length all clips are nearly the same, of others not.
    assert max((rows - rows[0]).abs().max() for rows in alone.values()) > 1e-2

    # The test itself goes by stored features, of queries and gallery.
    stored: dict[str, Tensor] = {}
    for index in (tmp_path / "features").glob("*/index.json"):
        features = load_features(index.parent)
        for name, rows in zip(features.names, features):
            with torch.no_grad():
                stored[name] = model.cls_head.projection(torch.from_numpy(rows.copy())).mean(dim=0)

    assert alone.keys() == together.keys() == stored.keys() and len(alone) == 12
    for name, rows in alone.items():
        for embedding in (together[name], stored[name]):
            torch.testing.assert_close(embedding, rows.mean(dim=0), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_view_is_embedded_as_if_alone(family: str, runner_of) -> None:
    runner = runner_of(family)
    runner.train_loop.dataloader.dataset.store.start_epoch(seed=0, epoch=0)
    batch = next(iter(runner.train_dataloader))
    model, spy = runner.model, Spy()
    settle(model, batch)
    model.cls_head.losses = nn.ModuleList([spy])
    with torch.no_grad():
        model(**model.data_preprocessor(batch, training=False), mode="loss")
    assert len(batch["inputs"]) > 1 and spy.embeddings.shape[:2] == (len(batch["inputs"]), 3)
    for views, embeddings in zip(batch["inputs"], spy.embeddings):
        alone = torch.stack([embed_alone(model, view) for view in views.chunk(3)])
        assert (alone[0] - alone[1]).abs().max() > 1e-2
        torch.testing.assert_close(embeddings, alone, rtol=1e-4, atol=1e-4)
