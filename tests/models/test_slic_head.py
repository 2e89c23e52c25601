from __future__ import annotations

from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.models.data_preprocessors import data_preprocessor
from mmaction.registry import MODELS
from mmaction.structures import ActionDataSample
from mmengine.config import Config
from torch._subclasses.fake_tensor import FakeTensorMode

from slic_mmaction.losses import pseudo_label_triplet_loss, temporal_discrimination_loss
from slic_mmaction.models import SLICHead, device_augment
from slic_mmaction.transforms.clip_draws import UNIFORMS

ROOT = Path(__file__).parents[2]
GOLDEN = np.load(ROOT / "tests" / "data" / "r3d18.npz")
LOSSES = [dict(type="PseudoLabelTripletLoss"), dict(type="TemporalDiscriminationLoss")]


def samples(labels: list[int], draw_seed: int = 1) -> list[ActionDataSample]:
    out = []
    for label in labels:
        sample = ActionDataSample(metainfo=dict(draw_seed=draw_seed))
        sample.pseudo_label = torch.tensor([label])
        sample.video_indices = torch.tensor([0, 1, 0])
        out.append(sample)
    return out


@pytest.fixture
def head() -> SLICHead:
    torch.manual_seed(0)
    return SLICHead(in_channels=6, hidden_channels=10, out_channels=4, losses=LOSSES)


def test_r3d18_has_the_authors_parameters_and_layer_shapes() -> None:
    cfg = Config.fromfile(ROOT / "configs" / "_base_" / "models" / "slic_r3d18.py")
    r3d18 = MODELS.build(cfg.model)
    ours = sorted(str(tuple(p.shape)) for p in r3d18.parameters())
    theirs = sorted(
        str(tuple(int(n) for n in shape.strip("()").split(",") if n.strip()))
        for shape in GOLDEN["full/param_shapes"]
    )
    assert ours == theirs
    assert sum(p.numel() for p in r3d18.parameters()) == GOLDEN["full/n_params"] == 34520896
    count = sum(p.numel() for p in r3d18.backbone.parameters())
    assert count == GOLDEN["full/n_params_backbone"] == 33203904
    shapes = {}
    for name in ("layer1", "layer2", "layer3", "layer4"):
        getattr(r3d18.backbone, name).register_forward_hook(
            lambda _, __, out, name=name: shapes.update({name: tuple(out.shape)})
        )
    with torch.no_grad():
        r3d18.backbone(torch.zeros(*GOLDEN["full/input_shape"].tolist()))
    assert shapes == {n: tuple(GOLDEN[f"full/{n}_shape"].tolist()) for n in shapes}
    assert len(shapes) == 4


def test_loss_is_the_sum_of_its_parts_on_the_right_views(head) -> None:
    feats = torch.randn(5 * 3, 6, 2, 3, 3)
    labels = [0, 0, 1, 2, 1]
    scalars = head.loss(feats, samples(labels))
    embeddings = head(feats).reshape(5, 3, 4)
    anchor, positive, second = embeddings.unbind(1)
    temporal = temporal_discrimination_loss(anchor, second, positive)
    torch.testing.assert_close(scalars["loss_temporal"], temporal)
    triplet = pseudo_label_triplet_loss(
        torch.cat([anchor, positive]),
        torch.tensor(labels * 2),
        generator=torch.Generator().manual_seed(1),
    )
    torch.testing.assert_close(scalars["loss_triplet"], triplet)
    assert {name for name in scalars if "loss" in name} == {"loss_triplet", "loss_temporal"}
    pairs = combinations(anchor.detach(), 2)
    cosines = [float(torch.cosine_similarity(a, b, dim=0)) for a, b in pairs]
    assert scalars["mean_cosine"].item() == pytest.approx(sum(cosines) / 10, abs=1e-5)
    assert "mean_cosine" not in head.eval().loss(feats[:3], samples([0]))


def test_mining_depends_on_the_samples_seed_only(head) -> None:
    feats = torch.randn(8 * 3, 6)
    labels = [0, 0, 0, 0, 1, 1, 1, 1]

    def triplet(draw_seed: int, global_seed: int) -> float:
        torch.manual_seed(global_seed)
        return head.loss(feats, samples(labels, draw_seed))["loss_triplet"].item()

    head.eval()
    assert triplet(1, 0) == triplet(1, 99)
    assert len({triplet(seed, 0) for seed in range(20)}) > 1


@pytest.mark.parametrize(("feature", "width"), [("projection", 4), ("backbone", 6)])
def test_predict_writes_the_mean_over_clips(feature: str, width: int) -> None:
    head = SLICHead(6, LOSSES, hidden_channels=10, out_channels=4, feature=feature).eval()
    feats = torch.randn(2 * 5, 6, 1, 2, 2)
    out = head.predict(feats, [ActionDataSample(), ActionDataSample()])
    clips = feats.mean((2, 3, 4))
    clips = head.projection(clips) if feature == "projection" else clips
    for sample, expected in zip(out, clips.reshape(2, 5, width).mean(1)):
        torch.testing.assert_close(sample.embedding, expected)
        assert sample.feature == feature


def test_segments_and_views_of_a_2d_network_stay_apart(head) -> None:
    """2 samples x 3 views x 4 frames: a frame counts for its own clip only."""
    head.eval()
    frames = torch.randn(2 * 3 * 4, 6, 2, 2)
    segmented = SLICHead(6, LOSSES, hidden_channels=10, out_channels=4, num_segments=4).eval()
    segmented.load_state_dict(head.state_dict())
    clips = torch.stack([clip.mean(dim=(0, 2, 3)) for clip in frames.split(4)])
    ours = segmented.loss(frames, samples([0, 1]), num_segs=12)
    theirs = head.loss(clips, samples([0, 1]))
    assert ours.keys() == theirs.keys()
    for name, value in theirs.items():
        torch.testing.assert_close(ours[name], value)
    # Ten clips of a video at the test.
    frames = torch.randn(10 * 4, 6, 2, 2)
    video = segmented.predict(frames, [ActionDataSample()])[0].embedding
    clips = torch.stack([clip.mean(dim=(0, 2, 3)) for clip in frames.split(4)])
    torch.testing.assert_close(video, head.projection(clips).mean(dim=0))


def test_bad_settings_are_named(head) -> None:
    # A wrong number of frames in a clip is an error and no mixture of clips.
    for num_segments in (2, 8):
        wrong = SLICHead(6, LOSSES, hidden_channels=10, out_channels=4, num_segments=num_segments)
        with pytest.raises(ValueError, match=r"num_segments.*must be the clip_len"):
            wrong.loss(torch.randn(2 * 3 * 4, 6, 2, 2), samples([0, 1]))
    with pytest.raises(ValueError, match=r"one of .*'projection', 'backbone'"):
        SLICHead(6, LOSSES, feature="pooled")
    with pytest.raises(ValueError, match=r"in_channels=6, but the backbone's feature has 9"):
        head(torch.zeros(2, 9))
    for option in ("in_channels", "hidden_channels", "out_channels", "num_segments"):
        with pytest.raises(ValueError, match=f"{option}=0"):
            SLICHead(**{"in_channels": 6, "losses": LOSSES, option: 0})
    with pytest.raises(ValueError, match="in_channels is a number or 'auto', not 'automatic'"):
        SLICHead("automatic", LOSSES)


def test_a_training_step_never_waits_for_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """From the loader's batch to gradients: a fake tensor has no value that could be asked for."""
    cfg = Config.fromfile(ROOT / "configs/_base_/models/slic_r3d18_device_aug.py").model
    cfg.backbone.base_channels, cfg.cls_head.in_channels = 4, 32
    model = MODELS.build(cfg)
    batch = samples([0, 0, 1, -1])
    for sample in batch:
        draws = np.random.default_rng(0).random((3, UNIFORMS))
        draws[:, :4] = 0  # all changes
        sample.set_metainfo(dict(clip_draws=draws))
    clips = [torch.zeros(3, 3, 4, 16, 16, dtype=torch.uint8) for _ in batch]
    # Compares sizes, as a tensor on the host.
    monkeypatch.setattr(data_preprocessor, "stack_batch", torch.stack)
    device_augment.blur_matrix.cache_clear()
    mode = FakeTensorMode(allow_non_fake_inputs=True)
    model._apply(mode.from_tensor)
    with mode:
        data = dict(inputs=[mode.from_tensor(c) for c in clips], data_samples=batch)
        data = model.data_preprocessor(data, training=True)
        loss, _ = model.parse_losses(model(**data, mode="loss"))
        loss.backward()
        with pytest.raises(RuntimeError):
            float(loss)
    device_augment.blur_matrix.cache_clear()
    assert all(parameter.grad is not None for parameter in model.parameters())
