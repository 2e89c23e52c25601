from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mmaction.registry import HOOKS, TASK_UTILS, TRANSFORMS
from mmengine.config import Config, ConfigDict

from slic_mmaction import argument_types
from slic_mmaction.argument_types import fits, typed
from slic_mmaction.clustering import FINCH, KMeans

INT = [0, -3, np.int64(4), 2**63 - 1]
FLOAT = [*INT, 0.5, np.float32(2), math.inf]
NOT_NUMBERS = ["1", None, True, [1], 1j, math.nan, 2**63, -(2**64), object()]


@pytest.mark.parametrize(
    ("annotation", "good", "bad"),
    [
        ("int", INT, [*NOT_NUMBERS, 0.5, 1.0]),
        ("float", FLOAT, NOT_NUMBERS),
        ("bool", [True, False], [0, None, "True"]),
        ("str", ["", Path("x")], [b"x", None, ["x"]]),
        ("dict", [{}, ConfigDict(a=1)], [None, [], "x"]),
        ("Callable", [len, FINCH()], [None, "len", {}]),
        ("Literal['auto', 3]", ["auto", 3], ["other", None]),
        ("int | Literal['auto']", ["auto", 3], ["other", 0.5]),
        ("Sequence[int]", [[], (1, 2), [3]], ["12", 1, None, [0.5], ["a"], {1}]),
        ("Sequence[dict | Callable]", [[{}, len]], [[1], {}]),
        ("Sequence[int] | None", [None, [1]], [1, ["x"]]),
        ("tuple[float, float]", [(0, 0.5), [1, 2]], [(1,), (1, 2, 3), "ab", (1, math.nan)]),
        ("tuple[int, ...]", [(), (1, 2, 3)], [(1, "x"), 1]),
        ("list", [[], [1, "x"]], [1, "x"]),
        ("dict[str, list[int | None]] | None", [{}, None], [1]),
        ("Any", NOT_NUMBERS, []),
        ("BaseDataset | dict", [{}, object()], []),
    ],
)
def test_fits(annotation: str, good: list, bad: list) -> None:
    assert [value for value in good if not fits(value, annotation)] == []
    assert [value for value in bad if fits(value, annotation)] == []


def test_a_config_of_the_wrong_type_is_named() -> None:
    for config, sentence in (
        (
            dict(num_clusters="50"),
            "KMeans needs num_clusters of type int, but got '50' of type str",
        ),
        (dict(seed=math.inf), "needs seed of type int, but got inf of type float"),
        (dict(num_clusters=True), "but got True of type bool"),
    ):
        with pytest.raises(TypeError, match=sentence):
            TASK_UTILS.build(dict(type="KMeans", **config))
    TASK_UTILS.build(dict(type="OPTICS", max_eps=math.inf))  # infinite by default
    with pytest.raises(TypeError, match=r"area_range of type tuple\[float, float\], but got \[1\]"):
        TRANSFORMS.build(Config(dict(t=dict(type="ClipAugment", area_range=[1]))).t)
    with pytest.raises(TypeError, match="Appearance needs hue of type float, but got 'red'"):
        TRANSFORMS.build(dict(type="ClipAugment", hue="red"))
    with pytest.raises(TypeError, match="FrameDifference needs prob of type float"):  # inherited
        TRANSFORMS.build(dict(type="FrameDifference", prob="often"))
    with pytest.raises(TypeError, match="PseudoLabelHook needs pipeline of type"):
        HOOKS.build(dict(type="PseudoLabelHook", clusterer=None, pipeline="center"))


def test_a_long_value_is_shortened() -> None:
    with pytest.raises(TypeError) as error:
        KMeans(num_clusters=list(range(10**5)))
    assert len(str(error.value)) < 120


def test_every_component_is_checked() -> None:
    count = 0
    for registry in argument_types.REGISTRIES:
        for name, component in registry.module_dict.items():
            if component.__module__.startswith("slic_mmaction."):
                owner = next(base for base in component.__mro__ if "__init__" in vars(base))
                if owner.__module__.startswith("slic_mmaction."):
                    count += 1
                    assert hasattr(owner.__init__, argument_types._CHECKED), name
    assert count > 25


def test_signature_and_position_are_kept() -> None:
    class Plain:
        def __init__(self, first: int, *rest: str, second: Sequence[int] = (), **more: int) -> None:
            self.all = first, rest, second, more

    class Inherits(Plain):
        pass

    def check(make: Callable[..., Any]) -> None:
        assert make(1, 2, second=[3], other="x").all == (1, (2,), [3], dict(other="x"))
        with pytest.raises(TypeError, match="needs first of type int, but got 'a'"):
            make("a")
        with pytest.raises(TypeError, match=r"needs second of type Sequence\[int\]"):
            make(1, second=3)
        with pytest.raises(TypeError, match=r"Plain\.__init__\(\) missing 1 required"):
            make()

    assert typed(Plain).__init__ is Plain.__init__
    assert Plain("a").all[0] == "a"  # of another package: left alone
    Plain.__module__ = "slic_mmaction.made_up"
    once = typed(Plain).__init__
    assert typed(Inherits) is Inherits and Plain.__init__ is once
    check(Plain)
    check(Inherits)
