"""Odd settings of every component: it works with them, or a sentence of ours says what is wrong.

They are of the types that its signature names. What comes out of a library (torch, NumPy,
scikit-learn, OpenCV) is no such sentence.
"""

from __future__ import annotations

import inspect
import os
import random
import traceback
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mmaction import registry as mmaction_registry
from mmengine.registry import Registry, init_default_scope

import slic_mmaction

pytestmark = pytest.mark.faults

EXAMPLES = 1000 if os.environ.get("SLIC_FAULTS") == "full" else 25
OURS = str(Path(slic_mmaction.__file__).parent)
COMPONENTS = {
    name: component
    for registry in vars(mmaction_registry).values()
    if isinstance(registry, Registry)
    for name, component in registry.module_dict.items()
    if component.__module__.startswith("slic_mmaction.")
    and getattr(component.__init__, "__module__", "").startswith("slic_mmaction.")
}
# Arguments without which a component cannot be built.
NEEDED: dict[str, dict[str, Any]] = {
    "CachedVideo": dict(path="cache", max_bytes=1 << 20),
    "ClusterAwareDataset": dict(dataset=dict(type="VideoDataset", ann_file="none"), pipeline=[]),
    "FlowView": dict(source="dis"),
    "PseudoLabelHook": dict(clusterer=None),
    "RetrievalDataset": dict(
        query=dict(type="VideoDataset", ann_file="none"), gallery=None, pipeline=[]
    ),
    "SLICDataPreprocessor": dict(format_shape="NCTHW"),
    "SLICHead": dict(in_channels=8, losses=[dict(type="TemporalDiscriminationLoss")]),
    "FeatureTestLoop": dict(runner=None, dataloader={}, evaluator={}, cache_dir="cache"),
}
# Builds datasets and loaders of a Runner, which is not here.
LEFT_OUT = ("FeatureTestLoop",)
INTEGERS = [-1, 0, 1, 2, 3, 7, 999]
NUMBERS = [*INTEGERS, -0.5, 0.0, 0.3, 1.0, 1.5, 1e-30, 1e30]
PAIRS = [(0.2, 0.5), (0.5, 0.2), (-1, 1), (0, 0), (1, 1)]
VALUES: dict[str, list[Any]] = {
    "int": INTEGERS,
    "float": NUMBERS,
    "bool": [True, False],
    "str": ["", "x", "cosine"],
    "None": [None],
    "dict": [{}, dict(type="NoSuch"), dict(a=1)],
    "tuple[float, float]": PAIRS,
    "Sequence[int]": [[], *([number] for number in INTEGERS), [5, 1]],
    "Sequence[float]": [[], *([number] for number in NUMBERS)],
    "Sequence[str]": [[], ["x"], ["positive"]],
    "Sequence[dict]": [[], [{}], [dict(type="NoSuch")]],
}


def values(annotation: str) -> list[Any]:
    """Values of a parameter by its annotation; of an unknown type none."""
    kinds = annotation.replace("Sequence[dict | Callable]", "Sequence[dict]").split(" | ")
    return [value for kind in kinds for value in VALUES.get(kind, [])]


def frames() -> dict[str, Any]:
    rng = np.random.default_rng(0)
    imgs = list(rng.integers(0, 256, (8, 12, 10, 3), dtype=np.uint8))
    return dict(
        imgs=imgs, clip_len=4, num_clips=2, views=("anchor", "positive"), modality="RGB",
        total_frames=30, start_index=0, avg_fps=25.0, filename="a.mp4", img_shape=(12, 10),
        original_shape=(12, 10), modalities=["rgb", "flow"],
    )  # fmt: skip


def use(name: str, component: Any, rng: np.random.Generator) -> None:
    """Let a component do its work on little data, where that needs no video and no Runner."""
    kind = component.__class__.__module__.split(".")[1]
    if kind == "clustering":
        rows = rng.normal(size=(int(rng.integers(1, 10)), int(rng.integers(1, 4))))
        rows[rng.integers(len(rows))] = rows[0]
        labels = component(torch.from_numpy(rows).float())
        assert labels.shape == (len(rows),) and labels.min() >= -1
    elif kind == "losses":
        rows = torch.from_numpy(rng.normal(size=(5, 4, component_channels(component)))).float()
        labels = torch.tensor([0, 0, 1, -1, 1])
        if getattr(component, "queue", None) is not None:
            component.queue.use_labels(labels)  # as EmbeddingQueueHook does
        out = component(rows, labels)
        assert any(key.startswith("loss") for key in out)
    elif name.startswith("Clip") or name in ("SampleViewFrames", "SampleProtocolClips"):
        component(frames())


def component_channels(loss: torch.nn.Module) -> int:
    queue = getattr(loss, "queue", None)
    return 4 if queue is None else queue.embeddings.shape[1]


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A component may make the folder that it is told to, such as ``x``."""
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("name", sorted(set(COMPONENTS) - set(LEFT_OUT)))
@given(data=st.data())
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=list(HealthCheck))
def test_component(name: str, data: st.DataObject) -> None:
    init_default_scope("mmaction")
    component = COMPONENTS[name]
    parameters = {
        parameter.name: values(parameter.annotation)
        for parameter in inspect.signature(component).parameters.values()
        if parameter.kind not in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL)
    }
    known = [name for name, odd in parameters.items() if odd]
    changed = data.draw(st.lists(st.sampled_from(known), max_size=2)) if known else []
    drawn = {option: data.draw(st.sampled_from(parameters[option])) for option in changed}
    options = {**NEEDED.get(name, {}), **drawn}
    seed = data.draw(st.integers(0, 9))
    random.seed(seed)
    np.random.seed(seed)
    try:
        use(name, component(**options), np.random.default_rng(seed))
    except (ValueError, TypeError, KeyError, FileNotFoundError, MemoryError) as error:
        last = traceback.extract_tb(error.__traceback__)[-1]
        from_registry = isinstance(error, KeyError) and "registry" in last.filename
        named = from_registry or "unexpected keyword argument" in str(error)
        assert last.filename.startswith(OURS) or from_registry, f"{last.filename}:{last.lineno}"
        assert named or str(error).strip("'\"").rstrip().endswith("."), str(error)
