from __future__ import annotations

import importlib.util

import pytest

from slic_mmaction.decoding import choice, choose_decoder


@pytest.fixture(autouse=True)
def forget() -> None:
    choice.is_usable.cache_clear()
    yield
    choice.is_usable.cache_clear()


def pretend(monkeypatch, installed: set[str], pyav: str = "18.1.0") -> None:
    modules = {choice.MODULES[name] for name in installed}
    monkeypatch.setattr(choice, "find_spec", lambda name: name if name in modules else None)
    monkeypatch.setattr(choice, "version", lambda name: pyav)


def test_auto_takes_the_fastest_that_is_installed(monkeypatch) -> None:
    pretend(monkeypatch, {"pyav", "opencv", "decord"})
    assert choose_decoder("auto") == choose_decoder("auto", from_memory=True) == "pyav"
    choice.is_usable.cache_clear()
    pretend(monkeypatch, {"opencv", "decord"})
    assert choose_decoder("auto") == "opencv"
    assert choose_decoder("auto", from_memory=True) == "decord"
    choice.is_usable.cache_clear()
    pretend(monkeypatch, {"opencv"})
    with pytest.raises(ImportError, match=r"pip install 'av>=17'"):
        choose_decoder("auto", from_memory=True)


def test_an_old_pyav_does_not_serve(monkeypatch) -> None:
    pretend(monkeypatch, {"pyav", "opencv"}, pyav="16.1.0")
    assert choose_decoder("auto") == "opencv"
    with pytest.raises(ImportError, match=r"'pyav' is not installed: pip install 'av>=17'"):
        choose_decoder("pyav")


def test_names_are_checked(monkeypatch) -> None:
    with pytest.raises(ValueError, match="no decoder 'ffmpeg'; there are 'auto'"):
        choose_decoder("ffmpeg")
    pretend(monkeypatch, {"opencv"})
    with pytest.raises(ImportError, match="'decord' is not installed"):
        choose_decoder("decord")


def test_opencv_is_always_there() -> None:
    assert importlib.util.find_spec("cv2") and choose_decoder("opencv") == "opencv"
