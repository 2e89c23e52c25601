"""Embeddings of all videos, in memory and in a file."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import MODELS, TASK_UTILS
from mmengine.model import BaseModel
from mmengine.runner import Runner

from slic_mmaction.pseudo_labels import embedding, labelling
from slic_mmaction.pseudo_labels.embedding import (
    embed_videos,
    embedding_loader,
    keep_rows,
    new_matrix,
    sum_over_ranks,
)

from ..runs import assert_same, labels_of, train

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
        embed_videos(runner.model, loader, 4, 1 << 30, coloured)


def mapped(path: str) -> list[str]:
    return [line for line in Path("/proc/self/maps").read_text().splitlines() if path in line]


def test_what_does_not_fit_goes_to_a_file_that_leaves_nothing_behind(tmp_path: Path) -> None:
    matrix = new_matrix(10, 4, CPU, 160, tmp_path)
    assert matrix.shape == (10, 4) and not matrix.any() and not mapped(str(tmp_path))
    matrix = new_matrix(10, 4, CPU, 159, tmp_path / "new")
    matrix[3] = 7
    sum_over_ranks(matrix, CPU)
    assert matrix.dtype == torch.float32 and matrix.sum() == 28
    assert mapped(str(tmp_path))
    assert list((tmp_path / "new").iterdir()) == []
    del matrix
    assert not mapped(str(tmp_path))


def test_a_full_disk_is_named(tmp_path: Path, monkeypatch) -> None:
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(embedding.os, "posix_fallocate", full)
    with pytest.raises(OSError, match=r"No space left .* raise max_embedding_bytes"):
        new_matrix(10, 4, CPU, 0, tmp_path)
    assert list(tmp_path.iterdir()) == []


@given(keep=st.lists(st.booleans(), min_size=1, max_size=20))
@settings(deadline=None, max_examples=50)
def test_kept_rows_move_up(keep: list[bool]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedding, "_BLOCK_ELEMENTS", 6)
        matrix = torch.arange(2.0 * len(keep)).view(-1, 2)
        expected = matrix[torch.tensor(keep)].clone()
        start = matrix.data_ptr()
        kept = keep_rows(matrix, np.array(keep))
    assert torch.equal(kept, expected)
    assert kept.data_ptr() in (start, 0)  # no second matrix


def test_a_run_with_embeddings_in_a_file_is_the_same(tiny_config, tmp_path, monkeypatch) -> None:
    in_file: list[bool] = []

    def spy(clusterer, embeddings: torch.Tensor, *args):
        files = mapped(".embeddings_rank0.npy")
        spans = [[int(end, 16) for end in line.split()[0].split("-")] for line in files]
        in_file.append(any(a <= embeddings.data_ptr() < b for a, b in spans))
        return cluster_on_all_ranks(clusterer, embeddings, *args)

    cluster_on_all_ranks = labelling.cluster_on_all_ranks
    monkeypatch.setattr(labelling, "cluster_on_all_ranks", spy)
    runs = []
    for max_bytes in (1 << 30, 0):
        cfg = tiny_config(tmp_path / str(max_bytes), train_cfg__max_epochs=1)
        cfg.custom_hooks[0].max_embedding_bytes = max_bytes
        runs.append(train(cfg))
        assert not list(Path(cfg.work_dir).glob("*embeddings*"))
    assert in_file == [False, True]
    assert labels_of(runs[0]) == labels_of(runs[1])
    assert_same(dict(runs[0].model.state_dict()), dict(runs[1].model.state_dict()))
