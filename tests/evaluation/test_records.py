from __future__ import annotations

import re
import subprocess
from pathlib import Path

from mmengine.config import Config

from slic_mmaction.evaluation.records import code_version, training_family, training_hash

CONFIGS = Path(__file__).parents[2] / "configs"


def load(name: str, **options: object) -> Config:
    cfg = Config.fromfile(CONFIGS / name)
    cfg.merge_from_dict(options)
    return cfg


def test_only_what_trains_is_part_of_a_training() -> None:
    """Not the seed, the place, the machine or the evaluation."""
    name = "slic_r3d_ucf101.py"
    first = training_hash(load(name))
    for key, value in {
        "work_dir": "elsewhere",
        "randomness": dict(seed=3),
        "load_from": "a.pth",
        "train_dataloader.num_workers": 1,
        "val_evaluator.out_file": "neighbors.npz",
        "custom_hooks.0.clusterer.seed": 3,
        "env_cfg.dist_cfg.backend": "gloo",
        "default_hooks.checkpoint.interval": 1,
        "train_cfg.val_interval": 1,
        "val_evaluator.ks": (1,),
    }.items():
        assert training_hash(load(name, **{key: value})) == first, key
    for key, value in {
        "train_dataloader.dataset.p_same_video": 0.3,
        "train_dataloader.batch_size": 16,
        "model.backbone.depth": 34,
        "custom_hooks.0.interval": 4,
        "optim_wrapper.optimizer.lr": 0.2,
        "train_cfg.max_epochs": 2,
    }.items():
        assert training_hash(load(name, **{key: value})) != first, key


def test_splits_are_trainings_of_one_family() -> None:
    names = [f"finetune/slic_r3d_ucf101{n}.py" for n in ("", "_split2", "_split3")]
    assert len({training_hash(load(name)) for name in names}) == 3
    assert len({training_family(load(name)) for name in names}) == 1
    other = load("finetune/scratch_r3d_ucf101.py")
    assert training_family(other) != training_family(load(names[0]))


def git(folder: Path, *arguments: str) -> None:
    identity = ("-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false")
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, timeout=60)


def test_the_commit_and_whether_files_differ_from_it(tmp_path: Path) -> None:
    assert re.fullmatch(r"v\d+\..+", code_version(tmp_path))
    git(tmp_path, "init", "-q")
    (tmp_path / "a.py").write_text("1\n")
    git(tmp_path, "add", "a.py")
    git(tmp_path, "commit", "-qm", "first")
    assert re.fullmatch(r"[0-9a-f]{10}", code_version(tmp_path))
    (tmp_path / "a.py").write_text("2\n")
    assert re.fullmatch(r"[0-9a-f]{10}\+changes", code_version(tmp_path))
