"""``compat.apply`` in a fresh interpreter, beside a ``transformers`` that does not fit."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

from slic_mmaction import compat

PROGRAM = """
import glob, sys, slic_mmaction, torch
from mmaction.registry import MODELS
from slic_mmaction.compat import cpu_ranks
imported = sorted(sys.modules)

cpu_ranks.init_gloo("nccl", init_method=f"file://{sys.argv[1]}", rank=0, world_size=1)
wrapper = torch.nn.parallel.DistributedDataParallel(torch.nn.Linear(1, 1))
cpu_ranks._WRAPPERS.add(wrapper)
cpu_ranks._end_process_group()
threads = [open(path).read() for path in glob.glob("/proc/self/task/*/comm")]

print([slic_mmaction.compat.apply(), imported, threads])
MODELS.get('VindLURetrieval')()
"""


def test_apply_is_idempotent() -> None:
    assert compat.apply() is compat.apply()


def test_the_package_can_be_imported_quickly_and_without_warnings(tmp_path: Path) -> None:
    """And VindLU says what it lacks: here a torchvision for another torch."""
    package, metadata = tmp_path / "transformers", tmp_path / "transformers-5.17.0.dist-info"
    package.mkdir()
    (package / "__init__.py").touch()
    broken = "raise RuntimeError('operator torchvision::nms does not exist')"
    (package / "modeling_utils.py").write_text(broken)
    metadata.mkdir()
    content = "Metadata-Version: 2.1\nName: transformers\nVersion: 5.17.0\n"
    (metadata / "METADATA").write_text(content)
    paths = [str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "store")],
        env=dict(os.environ, PYTHONPATH=os.pathsep.join(paths)),
        capture_output=True,
        text=True,
    )
    repairs, modules, threads = ast.literal_eval(done.stdout.strip())
    assert "multimodal" in repairs
    assert "mmaction.models" in modules and "sklearn" not in modules
    assert "mmcv" not in done.stderr  # mmcv-lite's warning
    assert not [name for name in threads if "gloo" in name]  # they would abort some finished runs
    assert "VindLURetrieval requires" in done.stderr.splitlines()[-1]
