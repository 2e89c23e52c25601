"""Embeddings of all videos."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import MODELS, TASK_UTILS
from mmengine.model import BaseModel
from mmengine.runner import Runner

from slic_mmaction.pseudo_labels.embedding import embed_videos, embedding_loader

from ..runs import labels_of, train

CPU = torch.device("cpu")


@MODELS.register_module()
class MeanColour(BaseModel):
    """Embeds a clip by its mean colour, so that a test knows what to expect."""

    def __init__(self, **kwargs) -> None:
        super().__init__(
            data_preprocessor=dict(type="ActionDataPreprocessor", format_shape="NCTHW")
        )
        self.bias = torch.nn.Parameter(torch.zeros(3))
        self.norm = torch.nn.BatchNorm1d(3)
        self.norm.eval()  # a frozen layer stays frozen
        self.modes: list[bool] = []

    def forward(self, inputs, data_samples, mode):
        if mode == "loss":
            assert self.training and not self.norm.training
            return dict(loss=self.bias.sum())
        self.modes.append(self.training)
        for sample, colour in zip(data_samples, inputs.mean((1, 3, 4, 5))):
            sample.set_field(colour + self.bias, "embedding")
            sample.set_metainfo(dict(feature="colour"))
        return data_samples

    def train(self, mode: bool = True) -> MeanColour:
        super().train(mode)
        self.norm.eval()
        return self


@TASK_UTILS.register_module()
class ByDominantColour:
    def __call__(self, embeddings: torch.Tensor) -> np.ndarray:
        return embeddings.argmax(axis=1)


@pytest.fixture
def coloured(tmp_path: Path) -> Path:
    """Three videos, blue, red and blue again."""
    for i, bgr in enumerate([(255, 0, 0), (0, 0, 255), (255, 0, 0)]):
        path = str(tmp_path / f"train_{i}.mp4")
        writer = cv2.VideoWriter(path, cv2.VideoWriter.fourcc(*"mp4v"), 25, (32, 32))
        for _ in range(6 + i):
            writer.write(np.full((32, 32, 3), bgr, np.uint8))
        writer.release()
    for split in ("train", "test"):
        (tmp_path / f"{split}.txt").write_text("train_0.mp4 0\ntrain_1.mp4 0\ntrain_2.mp4 0\n")
    return tmp_path


def test_every_label_lands_on_its_own_video(coloured, tiny_config) -> None:
    """The authors' code gives video i the label of video i - 1."""
    for batch_size, workers in ((1, 0), (2, 2), (8, 0)):
        cfg = tiny_config(coloured / str(batch_size), root=coloured)
        cfg.model = dict(type="MeanColour")
        cfg.custom_hooks[0].clusterer = dict(type="ByDominantColour")
        cfg.custom_hooks[0].update(num_workers=workers, batch_size=batch_size)
        cfg.train_cfg.max_epochs = 1
        runner = train(cfg)
        assert labels_of(runner) == [2, 0, 2]
        assert not any(runner.model.modes)
        with np.load(Path(cfg.work_dir) / "pseudo_labels" / "epoch_0.npz") as saved:
            assert saved["labels"].tolist() == [2, 0, 2] and saved["epoch"] == 0
            assert [Path(v).name for v in saved["videos"]] == [f"train_{i}.mp4" for i in range(3)]


def test_a_video_left_out_of_the_embedding_is_an_error(coloured, tiny_config) -> None:
    cfg = tiny_config(root=coloured)
    cfg.model = dict(type="MeanColour")
    runner = Runner.from_cfg(cfg)
    dataset = runner.build_dataloader(cfg.train_dataloader).dataset
    loader = embedding_loader(dataset, cfg.custom_hooks[0].pipeline, 2, 0)
    with pytest.raises(RuntimeError, match=r"1 of 4 .* not embedded exactly once; .* number 3"):
        embed_videos(runner.model, loader, 4)
