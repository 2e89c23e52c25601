"""The SLURM scripts and CPU ranks under SLURM, with a stand-in for ``srun``."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# Starts the tasks that --ntasks asks for, with what SLURM tells a task, on this machine.
SRUN = """#!/usr/bin/env bash
while [[ $1 == --* ]]; do
    echo "$1" >> "$SRUN_OPTIONS"
    [[ $1 == --ntasks=* ]] && tasks=${1#*=}
    shift
done
for ((i = 0; i < tasks; i++)); do
    SLURM_PROCID=$i SLURM_LOCALID=$i SLURM_NTASKS=$tasks SLURM_NODELIST=node[1-2] "$@" &
    ids+=($!)
done
for id in "${ids[@]}"; do
    wait "$id" || exit 1
done
"""
SCONTROL = """#!/usr/bin/env bash
[[ "$*" == "show hostnames node[1-2]" ]] && printf 'localhost\\nnode2\\n'
"""


def run(folder: Path, script: str, *arguments: object, **env: str) -> tuple[str, list[str]]:
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    options = folder / "options"
    options.write_text("")
    path = os.pathsep.join([str(folder), str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", str(ROOT / "tools" / script), "a-partition", "a job", *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=dict(os.environ, PATH=path, SRUN_OPTIONS=str(options), OMP_NUM_THREADS="1", **env),
    )
    assert done.returncode == 0, done.stdout[-3000:]
    return done.stdout, options.read_text().splitlines()


@pytest.mark.slow
@pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="for ranks without a GPU")
def test_two_cpu_ranks_train(tiny_config, tmp_path: Path) -> None:
    cfg = tiny_config()
    cfg.train_cfg.max_epochs = 1
    cfg.model.cls_head.losses[0].gather = True
    # Both need GPUs; so does the backend, nccl.
    cfg.model_wrapper_cfg = dict(type="MMDistributedDataParallel")
    cfg.sync_bn = "torch"
    assert cfg.env_cfg.dist_cfg.backend == "nccl"
    config, work = tmp_path / "tiny.py", tmp_path / "run"
    cfg.dump(str(config))
    cpu = dict(GPUS="2", GRES="", SRUN_ARGS="--exclusive --mem=8G")
    said, options = run(tmp_path, "slurm_train.sh", config, "--work-dir", work, **cpu)
    assert (work / "epoch_1.pth").is_file() and "SyncBatchNorm needs GPUs" in said
    assert options == [
        "--partition=a-partition",
        "--job-name=a job",
        "--ntasks=2",
        "--ntasks-per-node=2",
        "--cpus-per-task=8",
        "--kill-on-bad-exit=1",
        "--exclusive",
        "--mem=8G",
    ]


@pytest.mark.parametrize("script", ["slurm_train.sh", "slurm_test.sh"])
def test_gpus_are_asked_for_on_each_machine(script: str, tmp_path: Path) -> None:
    (tmp_path / "python").write_text('#!/usr/bin/env bash\necho "$@"\n')
    (tmp_path / "python").chmod(0o755)
    said, options = run(tmp_path, script, "a.py", "b.pth", "--seed=1", GPUS="16")
    assert {"--gres=gpu:8", "--ntasks=16", "--ntasks-per-node=8"} <= set(options)
    tool = ROOT / "tools" / script.replace("slurm_", "").replace(".sh", ".py")
    command = {"train.py": "a.py --launcher slurm b.pth", "test.py": "a.py b.pth --launcher slurm"}
    assert said.splitlines() == [f"-u {tool} {command[tool.name]} --seed=1"] * 16


@pytest.mark.parametrize("script", ["slurm_train.sh", "slurm_test.sh"])
def test_too_few_arguments_show_how_it_is_called(script: str) -> None:
    done = subprocess.run(["bash", str(ROOT / "tools" / script)], capture_output=True, text=True)
    assert done.returncode == 2
    assert f"bash tools/{script} PARTITION JOB_NAME CONFIG" in done.stderr
