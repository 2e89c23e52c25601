from __future__ import annotations

import argparse
import sys
from pathlib import Path
from unittest.mock import Mock

import pytest

from slic_mmaction.preparation.options import add_probe_options, run_tool, settings_from
from slic_mmaction.preparation.probing import Settings


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_probe_options(parser)
    return parser.parse_args(arguments)


def test_options_become_settings(capsys) -> None:
    read = settings_from(parse("--workers", "3", "--min-share", "0.5", "--quarantine", "bad"))
    assert read == Settings(3, 60.0, 2, 0.5, Path("bad"))
    for option in ("--workers=0", "--timeout=0", "--timeout=nan", "--min-frames=-1",
                   "--min-share=1.1", "--min-share=-0.1", "--min-share=nan"):  # fmt: skip
        with pytest.raises(SystemExit):
            parse(option)
        assert f"argument {option.partition('=')[0]}: expected" in capsys.readouterr().err


def test_tools_end_with_a_sentence_and_a_code(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["tools/data/x.py"])

    def run(outcome: int | BaseException) -> object:
        with pytest.raises(SystemExit) as end:
            run_tool(Mock(side_effect=[outcome]))
        return end.value.code

    assert [run(0), run(1), run(KeyboardInterrupt())] == [0, 1, 130]
    assert run(ValueError("Bad line.")) == "x.py: Bad line."
    assert capsys.readouterr().err == "Stopped. The same command continues from here.\n"
    with pytest.raises(KeyError):  # a mistake of ours keeps its traceback
        run_tool(Mock(side_effect=KeyError("x")))
