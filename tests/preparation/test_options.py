from __future__ import annotations

import argparse
import sys
from pathlib import Path

import pytest

from slic_mmaction.preparation.options import add_probe_options, run_tool, settings_from


def parse(*arguments: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_probe_options(parser)
    return parser.parse_args(arguments)


def test_options_become_settings() -> None:
    settings = settings_from(parse("--workers", "3", "--min-share", "0.5", "--quarantine", "bad"))
    assert (settings.num_workers, settings.min_share) == (3, 0.5)
    assert (settings.timeout, settings.min_frames, settings.quarantine) == (60.0, 2, Path("bad"))
    assert settings_from(parse()).num_workers >= 1 and settings_from(parse()).quarantine is None


@pytest.mark.parametrize(
    ("option", "value"),
    [("--workers", "0"), ("--timeout", "0"), ("--timeout", "nan"), ("--min-frames", "-1"),
     ("--min-share", "1.1"), ("--min-share", "-0.1"), ("--min-share", "nan")],
)  # fmt: skip
def test_values_out_of_range_are_refused(option: str, value: str, capsys) -> None:
    with pytest.raises(SystemExit):
        parse(f"{option}={value}")
    assert f"argument {option}: expected" in capsys.readouterr().err


def test_tools_end_with_a_sentence_and_a_code(monkeypatch, capsys) -> None:
    monkeypatch.setattr(sys, "argv", ["tools/data/x.py"])

    def raising(error: BaseException):
        def main(argv: object) -> int:
            raise error

        return main

    for main, code in (
        (lambda argv: 0, 0),
        (lambda argv: 1, 1),
        (raising(KeyboardInterrupt()), 130),
        (raising(ValueError("Bad line.")), "x.py: Bad line."),
    ):
        with pytest.raises(SystemExit) as end:
            run_tool(main)
        assert end.value.code == code
    assert capsys.readouterr().err == "Stopped. The same command goes on from here.\n"
    with pytest.raises(KeyError):  # a mistake of ours keeps its traceback
        run_tool(raising(KeyError("x")))
