from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import DATASETS, MODELS
from mmaction.structures import ActionDataSample
from mmengine.dataset import DefaultSampler, pseudo_collate
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch import nn
from torch.utils.data import DataLoader

from slic_mmaction.models import SLICDataPreprocessor, slic_data_preprocessor
from slic_mmaction.pseudo_labels.embedding import EmbeddingDataset, embed_videos

NORMALISE = dict(mean=[123.675, 116.28, 103.53], std=[58.395, 57.12, 57.375], format_shape="NCTHW")
VIEWS = (3, 3, 4, 16, 20)  # views, channels, frames, height, width


@pytest.fixture(autouse=True)
def scope() -> None:
    init_default_scope("mmaction")


def stock_preprocessor() -> nn.Module:
    return MODELS.build(dict(type="ActionDataPreprocessor", **NORMALISE))


def sample(seed: int, **metainfo) -> ActionDataSample:
    element = ActionDataSample()
    element.set_metainfo(dict(draw_seed=seed, **metainfo))
    return element


def batch(seeds: list[int], **metainfo) -> dict:
    inputs = [
        torch.randint(256, VIEWS, dtype=torch.uint8, generator=torch.Generator().manual_seed(s))
        for s in seeds
    ]
    return dict(inputs=inputs, data_samples=[sample(s, **metainfo) for s in seeds])


def test_evaluation_is_the_stock_preprocessor() -> None:
    data = batch([1, 2])
    ours = SLICDataPreprocessor(**NORMALISE)(data, training=False)["inputs"]
    stock = stock_preprocessor()(data, training=False)["inputs"]
    assert torch.equal(ours, stock)


def test_training_changes_the_clips_and_not_the_loaders_tensors() -> None:
    data = batch([1, 2])
    before = [clips.clone() for clips in data["inputs"]]
    plain = stock_preprocessor()(data, training=True)["inputs"]
    ours = SLICDataPreprocessor(**NORMALISE)(data, training=True)["inputs"]
    assert ours.shape == plain.shape == (2, *VIEWS) and ours.dtype == torch.float32
    assert not torch.equal(ours, plain)
    assert all(torch.equal(a, b) for a, b in zip(before, data["inputs"]))
    nothing = dict(flip_prob=0, jitter_prob=0, gray_prob=0, blur_prob=0)
    off = SLICDataPreprocessor(augment=nothing, **NORMALISE)(data, training=True)["inputs"]
    assert torch.equal(off, plain)


def test_a_sample_does_not_depend_on_its_batch() -> None:
    preprocessor = SLICDataPreprocessor(**NORMALISE)
    together = preprocessor(batch([1, 2, 3, 4]), training=True)["inputs"]
    backwards = preprocessor(batch([4, 3]), training=True)["inputs"]
    assert torch.equal(together[2:].flip(0), backwards)
    again = preprocessor(batch([1, 2, 3, 4]), training=True)["inputs"]
    assert torch.equal(together, again)


def test_views_of_a_sample_and_samples_have_draws_of_their_own() -> None:
    data = batch(list(range(10)))
    data["inputs"] = [data["inputs"][0][:1].repeat(3, 1, 1, 1, 1)] * 10
    preprocessor = SLICDataPreprocessor(augment=dict(jitter_prob=1), **NORMALISE)
    clips = preprocessor(data, training=True)["inputs"].flatten(0, 1)
    assert len(torch.unique(clips, dim=0)) == 30


def test_modalities_travel_with_the_sample() -> None:
    data = batch([7, 8], modalities=["rgb", "flow", "difference"])
    always = dict(flip_prob=1, jitter_prob=1)
    ours = SLICDataPreprocessor(augment=always, format_shape="NCTHW")(data, training=True)
    for clips, changed in zip(data["inputs"], ours["inputs"]):
        mirrored = clips.flip(-1).float()
        assert not torch.equal(changed[0], mirrored[0])
        assert torch.equal(changed[1], 255 - mirrored[1])
        assert torch.equal(changed[2], mirrored[2])


def test_the_memory_layout_is_the_stock_one() -> None:
    """``FormatShape`` hands out views on frames with the channels last."""
    data = batch([1, 2])
    data["inputs"] = [
        clips.permute(0, 2, 3, 4, 1).contiguous().permute(0, 4, 1, 2, 3) for clips in data["inputs"]
    ]
    strided = SLICDataPreprocessor(**NORMALISE)(data, training=True)["inputs"]
    stock = stock_preprocessor()(data, training=True)["inputs"]
    assert strided.stride() == stock.stride()
    contiguous = SLICDataPreprocessor(**NORMALISE)(batch([1, 2]), training=True)["inputs"]
    assert torch.equal(strided, contiguous)


def test_autocast_makes_no_difference() -> None:
    preprocessor = SLICDataPreprocessor(augment=dict(blur_prob=1), **NORMALISE)
    plain = preprocessor(batch([1, 2]), training=True)["inputs"]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast = preprocessor(batch([1, 2]), training=True)["inputs"]
    assert torch.equal(plain, cast)


def test_blending_still_works() -> None:
    data = batch([1, 2])
    for label, element in enumerate(data["data_samples"]):
        element.set_gt_label(label)
    blending = dict(type="MixupBlending", num_classes=2)
    torch.manual_seed(0)
    out = SLICDataPreprocessor(blending=blending, **NORMALISE)(data, training=True)
    plain = SLICDataPreprocessor(**NORMALISE)(data, training=True)["inputs"]
    assert out["inputs"].shape == plain.shape and not torch.equal(out["inputs"], plain)
    torch.testing.assert_close(out["inputs"].mean(dim=0), plain.mean(dim=0))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda data: data["data_samples"][1].pop("draw_seed"), "draw_seed"),
        (lambda data: data["inputs"].__setitem__(0, data["inputs"][0][..., 1:]), "one size"),
        (lambda data: data["inputs"].__setitem__(0, data["inputs"][0].float()), "uint8"),
        (
            lambda data: data["data_samples"][0].set_metainfo(dict(modalities=["rgb"])),
            "one modality for each",
        ),
    ],
    ids=["no seed", "sizes", "dtype", "modalities"],
)
def test_a_wrong_batch_is_named(change, message: str) -> None:
    data = batch([1, 2])
    change(data)
    with pytest.raises(ValueError, match=message):
        SLICDataPreprocessor(**NORMALISE)(data, training=True)


@pytest.mark.parametrize("options", [dict(format_shape="NCHW"), dict(NORMALISE, to_rgb=True)])
def test_settings_it_cannot_serve_are_refused(options: dict) -> None:
    with pytest.raises(ValueError, match="NCTHW"):
        SLICDataPreprocessor(**options)


def test_an_unknown_augmentation_is_named() -> None:
    with pytest.raises(TypeError, match=r"augment knows flip_prob, .*but got 'rotate', 'type'"):
        SLICDataPreprocessor(**NORMALISE, augment=dict(type="ClipFlip", rotate=0.5))


def device_config(tiny_config, work_dir: Path, workers: int = 0, epochs: int = 2):
    cfg = tiny_config(work_dir)
    cfg.model.data_preprocessor = dict(type="SLICDataPreprocessor", **NORMALISE)
    pipeline = cfg.train_dataloader.dataset.pipeline
    kept = [step for step in pipeline if step.type not in ("ClipFlip", "ClipColorJitter")]
    cfg.train_dataloader.dataset.pipeline = kept
    cfg.train_dataloader.update(num_workers=workers, persistent_workers=workers > 0)
    cfg.train_cfg.max_epochs = epochs
    return cfg


def train(cfg) -> Runner:
    runner = Runner.from_cfg(cfg)
    runner.train()
    return runner


@pytest.mark.slow
def test_pretraining_depends_neither_on_workers_nor_on_a_resume(tiny_config, tmp_path) -> None:
    whole = train(device_config(tiny_config, tmp_path / "whole"))
    train(device_config(tiny_config, tmp_path / "parts", workers=2, epochs=1))
    cfg = device_config(tiny_config, tmp_path / "parts", workers=2)
    cfg.resume = True
    resumed = train(cfg).model.state_dict()
    for name, weight in whole.model.state_dict().items():
        assert torch.equal(weight, resumed[name]), name
    # The augmentation is not a bystander: without it training ends elsewhere.
    cfg = device_config(tiny_config, tmp_path / "stock")
    cfg.model.data_preprocessor.type = "ActionDataPreprocessor"
    stock = train(cfg).model.state_dict()
    assert any(not torch.equal(weight, stock[name]) for name, weight in resumed.items())


def test_videos_are_embedded_without_augmentation(
    tiny_config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cfg = device_config(tiny_config, tmp_path)
    (hook,) = cfg.custom_hooks
    training_set = DATASETS.build(cfg.train_dataloader.dataset)
    clips = EmbeddingDataset(training_set, hook.pipeline)
    loader = DataLoader(
        clips, 4, sampler=DefaultSampler(clips, shuffle=False), collate_fn=pseudo_collate
    )

    def forbidden(*args):
        raise AssertionError("augmented outside of training")

    monkeypatch.setattr(slic_data_preprocessor, "augment_clips", forbidden)
    embeddings = []
    for kind in ("SLICDataPreprocessor", "ActionDataPreprocessor"):
        cfg.model.data_preprocessor.type = kind
        torch.manual_seed(0)
        model = MODELS.build(cfg.model)
        embeddings.append(embed_videos(model, loader, len(clips), 1 << 30, tmp_path))
    np.testing.assert_array_equal(*embeddings)
    cfg.model.data_preprocessor.type = "SLICDataPreprocessor"
    data = next(iter(DataLoader(training_set, 2, collate_fn=pseudo_collate)))
    with pytest.raises(AssertionError, match="outside of training"):
        MODELS.build(cfg.model).data_preprocessor(data, True)
