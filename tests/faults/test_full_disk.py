"""A file system that is full while something is saved: real ones, of a few megabytes.

They are mounted in a name space of their own, which needs no privilege where the system allows
user name spaces, and are gone with the process.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from slic_mmaction.evaluation import load_features

pytestmark = pytest.mark.faults

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
UNSHARE = shutil.which("unshare")


@pytest.fixture
def on_small_disk(tmp_path: Path) -> Callable[..., tuple[int, str]]:
    """``(folder, size, command)``: run a command while FOLDER is a file system of that size.

    Returns its exit code and output; its files are in FOLDER afterwards.
    """

    def run(folder: Path, size: str, *command: object) -> tuple[int, str]:
        folder.mkdir()
        kept = tmp_path / "kept"
        inside = f"""
            mount -t tmpfs -o size={size} tmpfs {shlex.quote(str(folder))} || exit 77
            {shlex.join(map(str, command))}
            code=$?
            cp -a {shlex.quote(str(folder))} {shlex.quote(str(kept))} && exit $code
        """
        if UNSHARE is None:
            pytest.skip("unshare is not installed")
        done = subprocess.run(
            [UNSHARE, "--mount", "--user", "--map-root-user", "sh", "-c", inside],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=dict(os.environ, PYTHONPATH=os.pathsep.join([str(ROOT), str(HERE)])),
        )
        if done.returncode == 77 or "unshare failed" in done.stdout:
            pytest.skip(f"no file system can be mounted here: {done.stdout.strip()}")
        folder.rmdir()
        kept.rename(folder)
        return done.returncode, done.stdout

    return run


@pytest.mark.parametrize(
    ("before", "file"),
    [
        ("checkpoint", "epoch_3.pth"),
        pytest.param("labels", "epoch_2.npz", marks=pytest.mark.faults(full=True)),
    ],
)
def test_training_stops_and_goes_on_when_there_is_room(
    before, file, on_small_disk, fault_config, start, uninterrupted, outcome_of,
    tmp_path: Path,
) -> None:  # fmt: skip
    config = fault_config(hooks=[dict(type="FillDisk", epoch=3, before=before)])
    work_dir = tmp_path / "work"
    # Started by a shell, and later resumed in a fork: one does as the other.
    train = (sys.executable, ROOT / "tools" / "train.py", config, "--work-dir", work_dir)
    code, output = on_small_disk(work_dir, "12m", *train)
    assert code == 1, output[-3000:]
    (sentence,) = [line for line in output.splitlines() if "was not written" in line]
    assert f"/{file} was not written (No space left on device, " in sentence
    assert " bytes are free in " in sentence
    assert sentence.endswith("a previous file of that name is intact")
    assert Path((work_dir / "last_checkpoint").read_text()) == work_dir / "epoch_2.pth"
    assert not list(work_dir.rglob(f"*{file}*"))  # nor a part of it
    (work_dir / "filler").unlink()
    code, output = start(fault_config(), work_dir, "--resume").end()
    assert code == 0, output[-3000:]
    assert outcome_of(work_dir) == uninterrupted


WRITE_SHARDS = """
import sys
from pathlib import Path
import numpy as np
from slic_mmaction.evaluation import FeatureKey
from slic_mmaction.evaluation.feature_set import write_index, write_shard

folder, key = Path(sys.argv[1]), FeatureKey("weights", "config", "videos")
rows = np.random.default_rng(0).normal(size=(1, 50_000)).astype(np.float32)
write_index(folder, list("01234567"), key, "backbone")
try:
    for first in range(0, 12, 4):  # 0.8 MB for each shard
        features = {video: rows + video for video in range(first, first + 4)}
        write_shard(folder, key, features, None, (16, 16))
except OSError as error:
    print(error)
"""


def test_feature_shards(on_small_disk, tmp_path: Path) -> None:
    folder = tmp_path / "features"
    code, output = on_small_disk(folder, "2m", sys.executable, "-c", WRITE_SHARDS, folder)
    assert code == 0, output
    (sentence,) = [line for line in output.splitlines() if "was not written" in line]
    assert f"{folder}/shard_" in sentence and "bytes are free in" in sentence
    features = load_features(folder)
    assert len(features) == 8  # two shards, whole
    for video in range(1, 8):
        assert abs(features[video] - features[0] - video).max() < 1e-5
    assert len(list(folder.iterdir())) == 5  # no piece of the third
