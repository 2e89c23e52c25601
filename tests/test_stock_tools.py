"""The command line of MMAction2's tools."""

from __future__ import annotations

from pathlib import Path

import pytest

from slic_mmaction.stock_tools import resumable


@pytest.mark.parametrize("named", [True, False])
def test_resume_continues_the_own_run_and_not_its_initial_weights(
    tmp_path: Path, named: bool
) -> None:
    work_dir, config = tmp_path / "run", tmp_path / "c.py"
    config.write_text("" if named else f"work_dir = {str(work_dir)!r}")
    first = [str(config), *(["--work-dir", str(work_dir)] if named else []), "--cfg-options"]
    options = ["load_from=x.pth", "randomness.seed=1"]
    again = [*first, *options, "--resume"]
    # A preempted job is queued again with the same command, maybe before its first checkpoint.
    assert resumable(again) == again
    work_dir.mkdir()
    (work_dir / "last_checkpoint").touch()
    assert resumable(again) == [*first, "load_from=None", options[1], "--resume"]
    for other in ([*first, *options], [*first, *options, "--resume", "epoch_3.pth"]):
        assert resumable(other) == other
