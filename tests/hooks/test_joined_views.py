from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from mmaction.registry import TRANSFORMS
from mmcv.transforms import BaseTransform

from slic_mmaction.clustering import finch
from slic_mmaction.hooks import joined_views
from slic_mmaction.hooks.joined_views import join_views

from .test_pseudo_label_hook import labels_of, train, use_clusterer


def centred_cosines(rows: np.ndarray) -> np.ndarray:
    unit = [row / np.linalg.norm(row) for row in rows]
    mean = sum(unit) / len(unit)
    centred = [(row - mean) / np.linalg.norm(row - mean) for row in unit]
    return np.array([[a @ b for b in centred] for a in centred])


@given(st.integers(3, 12), st.integers(0, 2**16), st.integers(1, 5))
@settings(deadline=None, max_examples=40)
def test_cosines_are_the_mean_of_the_views_centred_cosines(
    count: int, seed: int, block: int
) -> None:
    rng = np.random.default_rng(seed)
    # The second view: nearly alike, in another unit, of another width.
    views = [rng.normal(size=(count, 4)), 100 * (1 + 0.01 * rng.normal(size=(count, 6)))]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(joined_views, "_BLOCK_ROWS", block)
        joined = join_views([torch.from_numpy(v).float() for v in views], 1 << 20, Path())
    assert joined.shape == (count, 10) and joined.dtype == torch.float32
    got = torch.nn.functional.normalize(joined.double(), dim=1)
    wanted = (centred_cosines(views[0]) + centred_cosines(views[1])) / 2
    np.testing.assert_allclose((got @ got.T).numpy(), wanted, atol=1e-3)


def test_a_large_result_lies_in_a_file(tmp_path: Path) -> None:
    views = [torch.randn(20, 3), torch.randn(20, 5)]
    in_memory = join_views(views, 1 << 20, tmp_path)
    in_file = join_views(views, 4, tmp_path / "new")
    assert torch.equal(in_memory, in_file) and (tmp_path / "new").is_dir()


@TRANSFORMS.register_module()
class OnlyBlue(BaseTransform):
    """A second way to see a video, in which another colour decides."""

    def transform(self, results: dict) -> dict:
        results["imgs"] = [frame * np.uint8([0, 0, 1]) for frame in results["imgs"]]
        return results


def test_videos_are_clustered_by_both_pipelines(tiny_config) -> None:
    cfg = use_clusterer(tiny_config(), type="FINCH")
    cfg.train_cfg.max_epochs = 1
    hook = cfg.custom_hooks[0]
    steps = [step["type"] for step in hook.pipeline]
    at = steps.index("DecodeFrames") + 1
    hook.second_pipeline = [*hook.pipeline[:at], dict(type="OnlyBlue"), *hook.pipeline[at:]]
    seen: list[torch.Tensor] = []

    def both(views, *args):
        seen.extend(view.clone() for view in views)
        return join_views(views, *args)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("slic_mmaction.hooks.pseudo_label_hook.join_views", both)
        runner = train(cfg)
    first, second = seen
    assert first.shape == second.shape and not torch.allclose(first, second)
    joined = join_views([first, second], 1 << 20, Path())
    assert labels_of(runner) == finch(joined).labels[:, 0].tolist()
