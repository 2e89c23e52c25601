from __future__ import annotations

from importlib.metadata import PackageNotFoundError

import pytest

from slic_mmaction.decoding import choice, choose_decoder


@pytest.fixture
def pretend(monkeypatch):
    """Make believe that other versions of PyAV and decord are installed."""

    def install(**versions: str) -> None:
        def version(name: str) -> str:
            if name not in versions:
                raise PackageNotFoundError(name)
            return versions[name]

        choice.is_usable.cache_clear()
        monkeypatch.setattr(choice, "version", version)
        # Not by its metadata: the fork decord2 has another name and the same module.
        monkeypatch.setattr(choice, "find_spec", versions.get)

    yield install
    choice.is_usable.cache_clear()


def test_pyav_unless_it_is_too_old(pretend) -> None:
    pretend(av="18.1.0", decord="0.6.0")
    assert choose_decoder("auto") == "pyav" and choose_decoder("decord") == "decord"
    pretend(av="16.1.0", decord="0.6.0")
    assert choose_decoder("auto") == "decord"
    with pytest.raises(ImportError, match=r"'pyav' is not installed: pip install 'av>=17'"):
        choose_decoder("pyav")
    for missing in (dict(), dict(decord="0.6.0")):
        pretend(**missing)
        with pytest.raises(ImportError, match=r"pip install 'av>=17'"):
            choose_decoder("auto")


def test_names_are_checked(pretend) -> None:
    assert choose_decoder("rawframes") == "rawframes"
    for unknown in ("ffmpeg", "opencv"):
        with pytest.raises(ValueError, match=f"no decoder '{unknown}': choose from 'auto'"):
            choose_decoder(unknown)
    pretend(av="18.1.0")
    with pytest.raises(ImportError, match="'decord' is not installed"):
        choose_decoder("decord")
