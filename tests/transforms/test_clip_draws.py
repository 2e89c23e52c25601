from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from slic_mmaction.transforms.clip_draws import UNIFORMS, Appearance, draw_clips


@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.floats(0, 1), st.floats(0, 0.5))
def test_draws_by_hand(seed: int, clips: int, prob: float, hue: float) -> None:
    """Also: a clip's draws do not depend on its neighbours or on other probabilities."""
    uniforms = np.random.default_rng(seed).random((clips, UNIFORMS))
    draws = draw_clips(uniforms, Appearance(jitter_prob=prob, contrast=0, hue=hue))
    for n, u in enumerate(uniforms):
        assert draws.flip[n] == (u[0] < 0.5)
        assert draws.gray[n] == (u[2] < 0.2) and draws.blur[n] == (u[3] < 0.2)
        assert draws.order[n].tolist() == sorted(range(4), key=lambda k: u[8 + k])
        factors = (1.0, 1.0, 1.0, 0.0)
        if u[1] < prob:
            factors = (u[4] + 0.5, 1.0, u[6] + 0.5, hue * (2 * u[7] - 1))
        np.testing.assert_allclose(draws.factors[n], factors, rtol=0, atol=1e-15)
        assert not draws.changes[n, 1]  # strength 0 leaves an operation out


def test_clips_that_are_not_rgb_keep_their_values_and_their_flip() -> None:
    uniforms = np.random.default_rng(0).random((40, UNIFORMS))
    draws = draw_clips(uniforms, Appearance(jitter_prob=1, gray_prob=1, blur_prob=1))
    is_rgb = np.arange(40) % 2 == 0
    colored = draws.colors_only_on(is_rgb)
    for drawn in (*colored.changes.T, colored.gray, colored.blur):
        np.testing.assert_array_equal(drawn, is_rgb)
    np.testing.assert_array_equal(colored.flip, draws.flip)


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("flip_prob", 1.5, "flip_prob in 0..1"),
        ("brightness", -0.1, "brightness in 0..1"),
        ("hue", 0.6, "hue in 0..0.5"),
        ("blur_kernel", 4, "odd blur_kernel"),
        ("blur_sigma", 0, "blur_sigma above 0"),
    ],
)
def test_bad_settings_are_named(field: str, value: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Appearance(**{field: value})
