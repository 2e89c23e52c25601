from __future__ import annotations

import inspect

import mmengine.config.config as config_module
import pytest
from mmengine.config import Config
from mmengine.runner import Runner
from yapf.yapflib import yapf_api

from slic_mmaction.compat.config_text import laid_out_once, repair_config_text

OWNER = config_module if hasattr(config_module, "FormatCode") else yapf_api
FormatCode = inspect.unwrap(yapf_api.FormatCode)


@pytest.fixture
def laid_out(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Texts that yapf has laid out, in a process that has just repaired mmengine."""
    texts: list[str] = []

    def lay_out(text: str, **options):
        texts.append(text)
        return FormatCode(text, **options)

    monkeypatch.setattr(OWNER, "FormatCode", lay_out)
    assert repair_config_text()
    assert not repair_config_text()
    return texts


def test_a_run_with_two_checkpoints_lays_out_its_config_once(
    laid_out: list[str], tiny_config, monkeypatch
) -> None:
    cfg = Config(tiny_config(custom_hooks=[]).to_dict())
    Runner.from_cfg(cfg).train()
    assert cfg.train_cfg.max_epochs == 2
    assert len(laid_out) == 1
    once = cfg.pretty_text
    cfg.train_cfg.max_epochs = 3
    assert cfg.pretty_text != once and len(laid_out) == 2
    cfg.train_cfg.max_epochs = 2
    assert cfg.pretty_text == once and len(laid_out) == 2
    monkeypatch.setattr(OWNER, "FormatCode", FormatCode)  # mmengine's own layout
    assert cfg.pretty_text == once


def test_other_options_are_another_layout_and_errors_stay() -> None:
    once = laid_out_once(FormatCode)
    text = "a = dict(b=1,c=dict(d=2))\n"
    for style in ("pep8", "google"):
        narrow = dict(based_on_style=style, column_limit=12)
        assert once(text, style_config=narrow) == FormatCode(text, style_config=narrow)
    for _ in range(2):
        with pytest.raises(Exception, match="invalid syntax"):
            once("a = = 1")


def test_a_fork_that_imports_it_from_yapf_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(config_module, "FormatCode", raising=False)
    monkeypatch.setattr(yapf_api, "FormatCode", FormatCode)
    assert repair_config_text() and not repair_config_text()
    assert yapf_api.FormatCode("a=1") == FormatCode("a=1")
