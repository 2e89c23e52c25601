from __future__ import annotations

import sys

import numpy as np
import pytest
import torch
from mmengine.logging import MMLogger

from slic_mmaction.clustering import search


@pytest.fixture
def log(monkeypatch):
    lines: list[str] = []
    monkeypatch.setattr(
        MMLogger.get_current_instance(), "log", lambda level, message: lines.append(message)
    )
    return lines


@pytest.mark.parametrize("run", [search.torch_search, search.faiss_search])
def test_largest_inner_products(run, monkeypatch):
    pytest.importorskip("faiss", reason="faiss is optional")
    monkeypatch.setattr(search, "_BLOCK_ELEMENTS", 64)  # several blocks
    generator = torch.Generator().manual_seed(0)
    queries = torch.randn(13, 5, generator=generator)
    keys = torch.randn(20, 5, generator=generator)
    values, indices = run(queries, keys, 4)
    products = (queries @ keys.t()).numpy()
    expected = np.argsort(-products, axis=1)[:, :4]
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_allclose(values, np.take_along_axis(products, expected, 1), atol=1e-5)


def test_auto_takes_faiss_where_it_works(log):
    pytest.importorskip("faiss", reason="faiss is optional")
    assert search.resolve_backend("auto", torch.device("cpu")) == "faiss"
    assert log == ["Neighbour search uses faiss: its trial search worked."]


@pytest.mark.parametrize(
    "error",
    [
        RuntimeError("no kernel image is available for execution on the device"),
        AttributeError("module 'faiss' has no attribute 'IndexFlatIP'"),
    ],
)
def test_auto_falls_back_when_the_trial_search_fails(error, log, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr(search, "faiss_search", fail)
    assert search.resolve_backend("auto", torch.device("cpu")) == "torch"
    assert log == [f"Neighbour search uses torch: the trial search of faiss failed: {error}."]


def test_auto_falls_back_when_faiss_is_not_installed(log, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)  # makes the import raise ImportError
    assert search.resolve_backend("auto", torch.device("cpu")) == "torch"
    assert len(log) == 1 and "failed" in log[0] and "faiss" in log[0]
    with pytest.raises(ImportError):
        search.faiss_search(torch.eye(3), torch.eye(3), 2)


def test_auto_leaves_tensors_on_their_accelerator(log):
    assert search.resolve_backend("auto", torch.device("cuda:0")) == "torch"
    assert "cuda:0" in log[0]


def test_unknown_backend_is_named():
    with pytest.raises(ValueError, match="'annoy'"):
        search.resolve_backend("annoy", torch.device("cpu"))
