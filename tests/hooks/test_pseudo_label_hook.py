"""PseudoLabelHook in real Runners."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmaction.registry import HOOKS, MODELS, TASK_UTILS
from mmengine.dataset import DefaultSampler
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner

from slic_mmaction.hooks.embedding import embed_videos


@MODELS.register_module()
class MeanColour(BaseModel):
    """Embeds a clip by its mean colour, so that a test knows what to expect."""

    def __init__(self, **kwargs) -> None:
        super().__init__(
            data_preprocessor=dict(type="ActionDataPreprocessor", format_shape="NCTHW")
        )
        self.bias = torch.nn.Parameter(torch.zeros(3))
        self.norm = torch.nn.BatchNorm1d(3)
        self.modes: list[bool] = []

    def forward(self, inputs, data_samples, mode):
        if mode == "loss":
            return dict(loss=self.bias.sum())
        self.modes.append(self.training)
        for sample, colour in zip(data_samples, inputs.mean((1, 3, 4, 5))):
            sample.set_field(colour + self.bias, "embedding")
            sample.set_metainfo(dict(feature="colour"))
        return data_samples


@TASK_UTILS.register_module()
class ByDominantColour:
    def __call__(self, embeddings: torch.Tensor) -> np.ndarray:
        return embeddings.argmax(axis=1)


@TASK_UTILS.register_module()
class AnotherEachTime:
    """First all in pairs, then in threes, then in fours."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, embeddings: torch.Tensor) -> np.ndarray:
        self.calls += 1
        return np.arange(len(embeddings)) // (self.calls + 1)


@TASK_UTILS.register_module()
class Constant:
    def __init__(self, label: int) -> None:
        self.label = label

    def __call__(self, embeddings: torch.Tensor) -> np.ndarray:
        return np.full(len(embeddings), self.label)


@TASK_UTILS.register_module()
class Failing:
    def __call__(self, embeddings: torch.Tensor) -> np.ndarray:
        raise MemoryError("no room for 8 videos")


@HOOKS.register_module()
class Record(Hook):
    """Keeps what every batch held."""

    def __init__(self) -> None:
        self.samples: list[tuple] = []

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        for sample in data_batch["data_samples"]:
            self.samples.append(
                (
                    runner.epoch,
                    tuple(sample.video_indices.tolist()),
                    int(sample.pseudo_label),
                )
            )


def use_clusterer(cfg, **clusterer):
    cfg.custom_hooks[0].clusterer = clusterer
    return cfg


def train(cfg) -> Runner:
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


def find_hook(runner: Runner, name: str) -> Hook:
    return next(hook for hook in runner.hooks if type(hook).__name__ == name)


def labels_of(runner: Runner) -> list[int]:
    return runner.train_dataloader.dataset.store.labels.tolist()


def log_of(runner: Runner) -> str:
    return Path(runner.log_dir, f"{runner.timestamp}.log").read_text()


@pytest.fixture
def coloured(tmp_path: Path) -> Path:
    """Three videos, blue, red and blue again (and one of them longer than a batch of two)."""
    for split in ("train", "test"):
        lines = []
        for i, bgr in enumerate([(255, 0, 0), (0, 0, 255), (255, 0, 0)]):
            path = tmp_path / f"{split}_{i}.mp4"
            writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"mp4v"), 25, (32, 32))
            for _ in range(6 + i):
                writer.write(np.full((32, 32, 3), bgr, np.uint8))
            writer.release()
            lines.append(f"{path.name} 0")
        (tmp_path / f"{split}.txt").write_text("\n".join(lines))
    return tmp_path


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("batch_size", [1, 2, 8])
def test_every_label_lands_on_its_own_video(coloured, tiny_config, workers, batch_size) -> None:
    """The authors' code gives video i the label of video i - 1."""
    cfg = use_clusterer(tiny_config(root=coloured), type="ByDominantColour")
    cfg.model = dict(type="MeanColour")
    cfg.custom_hooks[0].update(num_workers=workers, batch_size=batch_size)
    cfg.train_cfg.max_epochs = 1
    runner = train(cfg)
    assert labels_of(runner) == [2, 0, 2]
    with np.load(Path(cfg.work_dir) / "pseudo_labels" / "epoch_0.npz") as saved:
        assert saved["labels"].tolist() == [2, 0, 2]
        assert [Path(v).name for v in saved["videos"]] == [f"train_{i}.mp4" for i in range(3)]


def samples_of_three_epochs(cfg, workers: int, persistent: bool) -> list[tuple]:
    cfg.train_dataloader.update(num_workers=workers, persistent_workers=persistent)
    cfg.train_cfg.max_epochs = 3
    cfg.custom_hooks.append(dict(type="Record"))
    return find_hook(train(use_clusterer(cfg, type="AnotherEachTime")), "Record").samples


def test_workers_see_the_new_labels_in_every_epoch(tiny_config) -> None:
    reference = samples_of_three_epochs(tiny_config(), 0, False)
    assert len(reference) == 24
    for epoch, (index, positive, second), label in reference:
        assert label == index // (epoch + 2)
        assert positive // (epoch + 2) == label and second == index
    assert {positive == index for _, (index, positive, _), _ in reference} == {True, False}
    for persistent in (False, True):
        assert samples_of_three_epochs(tiny_config(), 2, persistent) == reference


def test_interval_and_begin(tiny_config) -> None:
    cfg = tiny_config()
    cfg.custom_hooks[0].update(interval=2, begin=1)
    cfg.train_cfg.max_epochs = 4
    runner = train(cfg)
    files = sorted(p.name for p in (Path(cfg.work_dir) / "pseudo_labels").iterdir())
    assert files == ["epoch_1.npz", "epoch_3.npz"]
    scalars = (Path(runner.log_dir) / "vis_data" / "scalars.json").read_text()
    for name in ("clusters", "nmi", "ami", "purity", "largest", "median"):
        assert f'"cluster/{name}"' in scalars
    assert "Clustering before epoch 2: clusters" in log_of(runner)


def test_without_a_clusterer_every_video_is_its_own(tiny_config) -> None:
    cfg = tiny_config()
    cfg.custom_hooks[0].clusterer = None
    runner = train(cfg)
    assert labels_of(runner) == list(range(8))
    assert runner.train_dataloader.dataset.store.epoch == 1
    assert not (Path(cfg.work_dir) / "pseudo_labels").exists()


def test_embedding_runs_in_eval_mode_and_puts_every_mode_back(coloured, tiny_config) -> None:
    cfg = use_clusterer(tiny_config(root=coloured), type="ByDominantColour")
    cfg.model = dict(type="MeanColour")
    runner = Runner.from_cfg(cfg)
    runner.model.norm.eval()  # a frozen layer stays frozen
    assert runner.train_loop is not None  # the property builds it
    hook = find_hook(runner, "PseudoLabelHook")
    hook.before_train(runner)
    hook.before_train_epoch(runner)
    assert runner.model.modes == [False]  # three videos, one batch
    assert runner.model.training and not runner.model.norm.training


def test_a_video_left_out_of_the_embedding_is_an_error(
    coloured, tiny_config, tmp_path: Path
) -> None:
    cfg = use_clusterer(tiny_config(root=coloured), type="ByDominantColour")
    cfg.model = dict(type="MeanColour")
    runner = Runner.from_cfg(cfg)
    assert runner.train_loop is not None  # the property builds it
    hook = find_hook(runner, "PseudoLabelHook")
    hook.before_train(runner)
    loader = hook._loaders[0]
    assert isinstance(loader.sampler, DefaultSampler)
    with pytest.raises(RuntimeError, match=r"1 of 4 .* not embedded exactly once; .* number 3"):
        embed_videos(runner.model, loader, 4, 1 << 30, tmp_path)


@pytest.mark.parametrize(
    ("label", "message"),
    [(0, "All videos fell into one cluster"), (-1, "Every video is noise")],
)
def test_degenerate_clusterings_are_logged(tiny_config, label: int, message: str) -> None:
    cfg = use_clusterer(tiny_config(), type="Constant", label=label)
    cfg.train_cfg.max_epochs = 1
    runner = train(cfg)
    assert message in log_of(runner)
    assert all(torch.isfinite(p).all() for p in runner.model.parameters())


def test_nan_weights_stop_with_a_sentence(tiny_config) -> None:
    runner = Runner.from_cfg(tiny_config())
    runner.model.init_weights()
    with torch.no_grad():
        runner.model.backbone.conv1.conv.weight.fill_(float("nan"))
    runner.model._is_init = True
    with pytest.raises(
        FloatingPointError, match=r"8 of 8 embeddings are not finite .*train_0\.mp4"
    ):
        runner.train()


def test_a_failing_clusterer_is_not_hidden(tiny_config) -> None:
    with pytest.raises(MemoryError, match="no room"):
        train(use_clusterer(tiny_config(), type="Failing"))


def test_bad_settings_are_named(tiny_config) -> None:
    cfg = tiny_config()
    for options, message in (
        (dict(interval=0), "interval >= 1"),
        (dict(begin=-1), "begin >= 0"),
        (dict(pipeline=[]), "needs a pipeline"),
    ):
        with pytest.raises(ValueError, match=message):
            HOOKS.build(dict(cfg.custom_hooks[0], **options))
    cfg.train_dataloader.dataset = dict(cfg.train_dataloader.dataset.dataset, pipeline=[])
    with pytest.raises(TypeError, match="of type ClusterAwareDataset, but it is VideoDataset"):
        train(cfg)
    cfg = tiny_config()
    cfg.train_cfg = dict(by_epoch=False, max_iters=3)
    with pytest.raises(TypeError, match="by_epoch=True"):
        train(cfg)
