from __future__ import annotations

import sys

import pytest
import torch
from mmengine.logging import MMLogger

from slic_mmaction.clustering import faiss_search, search
from slic_mmaction.clustering.prepared_rows import PreparedRows
from slic_mmaction.clustering.search import Search, choose_search

MANY = search._TRIAL_ABOVE + 1


@pytest.fixture
def log(monkeypatch):
    search._fastest.cache_clear()
    lines: list[str] = []
    monkeypatch.setattr(
        MMLogger.get_current_instance(), "log", lambda level, message: lines.append(message)
    )
    yield lines
    search._fastest.cache_clear()


def choose(backend, precision, n=MANY, metric="cosine"):
    return choose_search(torch.randn(n, 4), metric, backend, precision)


def test_auto_takes_the_fastest_of_its_trial_and_says_so(log, monkeypatch):
    times = {Search("torch", "float32"): 3.0, Search("torch", "bfloat16"): 2.0}
    monkeypatch.setattr(search, "_seconds", lambda way, _: times.get(way, 4.0))
    assert choose("auto", "auto") == Search("torch", "bfloat16")
    assert choose("auto", "float32") == Search("torch", "float32")
    assert choose("auto", "auto", metric="euclidean") == Search("torch", "float32")
    assert log[0] == (
        "Neighbour search on cpu uses torch bfloat16 (trial on 4096 x 4: torch float32 3000 ms; "
        "torch bfloat16 2000 ms; faiss 4000 ms)."
    )
    choose("auto", "auto")
    assert len(log) == 3  # a choice is made once


def test_auto_really_tries(log):
    pytest.importorskip("faiss", reason="faiss is optional")
    assert choose("auto", "auto") in {
        Search("torch", "float32"),
        Search("torch", "bfloat16"),
        Search("faiss", "float32"),
    }
    assert len(log) == 1 and "failed" not in log[0]


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

    monkeypatch.setattr(search, "flat_search", fail)
    assert choose("auto", "float32").backend == "torch"
    assert f"faiss failed ({error})" in log[0]


def test_auto_falls_back_when_faiss_is_not_installed(log, monkeypatch):
    monkeypatch.setitem(sys.modules, "faiss", None)  # makes the import raise ImportError
    assert choose("auto", "float32").backend == "torch"
    assert len(log) == 1 and "faiss failed (" in log[0]
    with pytest.raises(ImportError):
        faiss_search.flat_search(PreparedRows(torch.randn(5, 4), "cosine"))


def test_few_rows_need_no_trial(log):
    assert choose("auto", "auto", n=100) == Search("torch", "float32")
    assert log == []


def test_a_forced_search_is_taken_without_a_trial(log):
    assert choose("torch", "bfloat16") == Search("torch", "bfloat16")
    assert choose("faiss", "auto") == Search("faiss", "float32")
    assert log == []


class OnGpu:
    """What the choice sees of a matrix, or of rows, on a GPU."""

    device = torch.device("cuda:0")


@pytest.fixture
def broken_gpu_faiss(monkeypatch):
    """A wheel without code for the GPU: faiss aborts the process that searches."""
    abort = "import os, sys\nsys.stderr.write('no kernel image is available')\nos.abort()"
    monkeypatch.setattr(faiss_search, "_GPU_TRIAL", abort)
    faiss_search.faiss_gpu_failure.cache_clear()
    yield
    faiss_search.faiss_gpu_failure.cache_clear()


def test_faiss_that_aborts_on_the_gpu_is_noticed_in_another_process(broken_gpu_faiss):
    assert faiss_search.faiss_gpu_failure() == "no kernel image is available"
    with pytest.raises(RuntimeError, match=r"no kernel image.*backend='torch'"):
        choose_search(OnGpu(), "cosine", "faiss", "auto")


def test_auto_falls_back_when_faiss_aborts_on_the_gpu(broken_gpu_faiss, log, monkeypatch):
    real = search._seconds

    def seconds(way, rows):
        return real(way, OnGpu() if way.backend == "faiss" else rows)

    monkeypatch.setattr(search, "_seconds", seconds)
    candidates = (Search("torch", "float32"), Search("faiss", "float32"))
    chosen = search._fastest(candidates, torch.device("cpu"), 4, "cosine")
    assert chosen == Search("torch", "float32")
    assert "faiss failed (no kernel image is available)" in log[0]


@pytest.mark.parametrize("options", [("annoy", "auto"), ("auto", "float8")])
def test_unknown_names_are_named(options):
    with pytest.raises(ValueError, match=r"annoy|float8"):
        choose(*options)
