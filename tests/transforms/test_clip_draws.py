"""The drawn parameters have the distribution of the single transforms' draws."""

from __future__ import annotations

import itertools
import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare, ks_2samp

from slic_mmaction.transforms import ClipColorJitter, color
from slic_mmaction.transforms.clip_draws import NEUTRAL, UNIFORMS, Appearance, draw_clips

OPERATIONS = ("adjust_brightness", "adjust_contrast", "adjust_saturation", "adjust_hue")


def draws_of(clips: int, appearance: Appearance, seed: int = 0):
    return draw_clips(np.random.default_rng(seed).random((clips, UNIFORMS)), appearance)


def test_jitter_is_drawn_as_by_the_single_transform(monkeypatch: pytest.MonkeyPatch) -> None:
    """Factors and orders of the plain chain, recorded where it applies them."""
    clips = 2000
    calls: list[tuple[int, float]] = []
    for number, name in enumerate(OPERATIONS):

        def record(clip, factor, number=number):
            calls.append((number, factor))
            return clip

        monkeypatch.setattr(color, name, record)
    random.seed(0)
    np.random.seed(0)
    jitter = ClipColorJitter(brightness=0.5, contrast=0.4, saturation=0.3, hue=0.2, prob=0.8)
    jitter(dict(imgs=[np.zeros((2, 2, 3), np.uint8)] * clips, clip_len=1))
    plain = np.array(
        [[factor for _, factor in sorted(calls[i : i + 4])] for i in range(0, len(calls), 4)]
    )
    orders = Counter(tuple(n for n, _ in calls[i : i + 4]) for i in range(0, len(calls), 4))

    draws = draws_of(clips, Appearance(brightness=0.5, contrast=0.4, saturation=0.3, hue=0.2))
    jittered = draws.changes.all(axis=1)
    assert (draws.factors[~jittered] == NEUTRAL).all()
    assert abs(jittered.mean() - len(plain) / clips) < 4 * np.sqrt(2 * 0.8 * 0.2 / clips)
    for number in range(4):
        ours = draws.factors[jittered, number]
        assert ks_2samp(ours, plain[:, number]).pvalue > 0.001
        assert abs(ours - NEUTRAL[number]).max() <= (0.5, 0.4, 0.3, 0.2)[number]
    permutations = list(itertools.permutations(range(4)))
    ours_by_order = Counter(map(tuple, draws.order.tolist()))
    for counts in (orders, ours_by_order):
        assert chisquare([counts[p] for p in permutations]).pvalue > 0.001


def test_probabilities_and_independence() -> None:
    clips = 4000
    draws = draws_of(clips, Appearance())
    events = dict(flip=(draws.flip, 0.5), gray=(draws.gray, 0.2), blur=(draws.blur, 0.2))
    events["jitter"] = (draws.changes[:, 0], 0.8)
    for happened, prob in events.values():
        assert abs(happened.mean() - prob) < 4 * np.sqrt(prob * (1 - prob) / clips)
    for (a, p), (b, q) in itertools.combinations(events.values(), 2):
        assert abs((a & b).mean() - p * q) < 4 * np.sqrt(p * q * (1 - p * q) / clips)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_a_clips_draws_do_not_depend_on_its_neighbours(seed: int, clips: int) -> None:
    uniforms = np.random.default_rng(seed).random((clips, UNIFORMS))
    together = draw_clips(uniforms, Appearance())
    for i in range(clips):
        alone = draw_clips(uniforms[i : i + 1], Appearance())
        for name, value in vars(together).items():
            np.testing.assert_array_equal(value[i], getattr(alone, name)[0])


def test_strength_zero_leaves_an_operation_out() -> None:
    draws = draws_of(50, Appearance(contrast=0, hue=0, jitter_prob=1))
    assert (draws.changes == [True, False, True, False]).all()


def test_clips_that_are_not_rgb_keep_their_values_and_their_flip() -> None:
    draws = draws_of(40, Appearance(jitter_prob=1, gray_prob=1, blur_prob=1))
    is_rgb = np.arange(40) % 2 == 0
    colored = draws.colors_only_on(is_rgb)
    np.testing.assert_array_equal(colored.changes.all(axis=1), is_rgb)
    np.testing.assert_array_equal(colored.gray, is_rgb)
    np.testing.assert_array_equal(colored.blur, is_rgb)
    np.testing.assert_array_equal(colored.flip, draws.flip)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("flip_prob", 1.5, "flip_prob in 0..1"),
        ("brightness", -0.1, "brightness in 0..1"),
        ("hue", 0.6, "hue in 0..0.5"),
        ("blur_prob", -1, "blur_prob in 0..1"),
        ("blur_kernel", 4, "odd blur_kernel"),
        ("blur_sigma", 0, "blur_sigma above 0"),
    ],
)
def test_bad_settings_are_named(field: str, value: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Appearance(**{field: value})
