"""The command `slic`, as a user types it."""

from __future__ import annotations

import csv
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from mmaction.registry import MODELS
from mmengine.config import Config

from slic_mmaction import cli, pretraining
from slic_mmaction.cli import common
from slic_mmaction.collection.network import Network

from .conftest import write_video

# What the console script does, in a fresh process; prints what it has imported.
PROGRAM = """
import sys
sys.argv[0] = "slic"
from slic_mmaction.cli import main
try:
    main()
finally:
    print("imported torch:", "torch" in sys.modules, file=sys.stderr)
"""


@pytest.fixture
def slic(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture) -> Callable[..., str]:
    """Run a command line in this process; returns what it prints, errors too."""

    def run(*arguments: object, code: int = 0) -> str:
        monkeypatch.setattr(sys, "argv", ["slic", *map(str, arguments)])
        handler = signal.getsignal(signal.SIGINT)
        with pytest.raises(SystemExit) as stop:
            cli.main()
        signal.signal(signal.SIGINT, handler)
        said = "".join(capfd.readouterr())
        assert stop.value.code == code, said
        return said

    return run


def slic_process(*arguments: object, prelude: str = "") -> tuple[int, str, str]:
    done = subprocess.run(
        [sys.executable, "-c", prelude + PROGRAM, *map(str, arguments)],
        start_new_session=True,
        capture_output=True,
        text=True,
        timeout=600,
        env=dict(os.environ, PYTHONPATH=str(Path(cli.__file__).parents[2])),
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "my videos"
    folder.mkdir()
    for i in range(9):
        write_video(folder / f"clip {i}.mp4", 20, seed=i)
    (folder / "clip 8.mp4").rename(folder / "clip 8\u2028.mp4")  # a line separator
    (folder / "notes.txt").write_text("x")
    return folder


@pytest.fixture
def tiny_base(tiny_config: Callable[..., Config], tmp_path: Path, monkeypatch) -> None:
    """`slic pretrain` begins with the small config of the tests."""
    cfg = tiny_config(frames=dict(type="CachedVideo", path="", max_bytes=1, short_side=16))
    cfg.train_dataloader.dataset.pipeline[0] = cfg.frames
    for name in ("val_dataloader", "val_evaluator", "val_cfg", "experiment_name"):
        cfg[name] = None
    cfg.train_cfg.pop("val_interval")
    cfg.custom_hooks = [dict(type="PseudoLabelHook", clusterer=None, pipeline=[])]
    cfg.dump(tmp_path / pretraining._ON_CPU)
    monkeypatch.setattr(pretraining, "CONFIGS", tmp_path)
    monkeypatch.setattr(pretraining, "num_cores", lambda: 1)


@pytest.mark.parametrize("backbone", ["tsm", "tsm_slim", "slowonly"])
def test_given_weights_are_trained_with_clusters_of_motion(
    backbone: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    monkeypatch.setattr(pretraining.torch.cuda, "is_available", lambda: False)
    weights = tmp_path / "weights.pth"
    weights.touch()
    monkeypatch.setattr(pretraining.QuietRunner, "from_cfg", lambda cfg: cfg)
    with pytest.raises(AttributeError, match="train"):  # of the config, which is no runner
        pretraining.pretrain(folder, tmp_path / "run", backbone, str(weights))
    assert "set a smaller train_dataloader.batch_size" in capsys.readouterr().out
    cfg = Config.fromfile(tmp_path / "run" / "config.py")
    assert cfg.train_cfg.max_epochs == 10 and cfg.load_from == str(weights)
    hook = next(hook for hook in cfg.custom_hooks if hook.type == "PseudoLabelHook")
    assert hook.pipeline == [] and hook.clusterer == dict(type="FINCH", num_clusters=2)
    with np.load(hook.descriptors) as file:
        assert len(file["videos"]) == 9


def test_a_gpu_trains_the_papers_network(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pretraining.torch.cuda, "is_available", lambda: True)
    cfg = Config.fromfile(pretraining._base_config(None))
    assert cfg.filename.endswith("slic_r3d_ucf101.py") and "bfloat16" in cfg.default_hooks


@pytest.mark.slow
@pytest.mark.usefixtures("tiny_base")
def test_from_a_folder_to_answers(folder: Path, tmp_path: Path, slic: Callable[..., str]) -> None:
    """Every command, each given what the one before has left; in the end one sentence each."""
    run, index = tmp_path / "run", tmp_path / "index"
    said = slic("pretrain", folder, "--out", run, "--epochs", 2)
    assert "9 videos found, 9 usable" in said and "skipped: 1 .txt" in said
    assert "consider --init" in said and "clusters: 2 of 9 videos" in said
    assert "epoch 2 of 2: loss" in said and "spread" in said and said.count("training: ") == 1
    assert f"slic index '{folder}' --with {run}" in said
    assert "Exp name" not in said and "mmengine - INFO" not in said
    cfg = Config.fromfile(run / "config.py")
    assert cfg.default_hooks.checkpoint.interval == 1
    assert cfg.train_dataloader.batch_size == 9 and cfg.custom_hooks[0].clusterer.num_clusters == 2
    assert (run / "training" / "epoch_2.pth").is_file() and (run / "model.pth").is_file()

    assert "holds a training: continue it with --resume" in slic(
        "pretrain", folder, "--out", run, code=2
    )
    said = slic("pretrain", folder, "--out", run, "--resume", "--epochs", 3, "--time", "9h")
    assert "epoch 3 of 3" in said and "epoch 2 of 3" not in said
    assert "--resume --cfg-options train_cfg.max_epochs=3" in said
    before = (run / "config.py").read_text()
    said = slic("pretrain", folder, "--out", run, "--resume", "--init", run / "model.pth")
    assert " of 2: loss" not in said and (run / "config.py").read_text() == before
    weights = run / "training" / "epoch_3.pth"
    said = slic("pretrain", folder, "--out", tmp_path / "more", "--init", weights, "--epochs", 1)
    optimizer = Config.fromfile(tmp_path / "more" / "config.py").optim_wrapper
    assert optimizer.optimizer == dict(type="AdamW", lr=1e-3, weight_decay=0.05)
    assert optimizer.paramwise_cfg == dict(custom_keys=dict(backbone=dict(lr_mult=0.1)))
    assert "epoch 1 of 1" in said
    said = slic("pretrain", folder, "--out", tmp_path / "more", "--resume", "--epochs", 2)
    assert "continuing after epoch 1" in said and "epoch 2 of 2" in said
    (tmp_path / "more" / "model.pth").unlink()  # as of a stopped run
    stopped = slic("index", folder, "--with", tmp_path / "more", "--out", tmp_path / "stopped")
    assert "9 videos added" in stopped
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.py").write_text(before.replace(str(run), str(other)) + "\nmodel = dict()\n")
    said = slic("pretrain", folder, "--out", other, "--epochs", 4)
    assert "was edited and is used unchanged" in said and "epoch 2 of 2" in said
    (other / "config.py").write_text("model = (")
    said = slic("pretrain", folder, "--out", other, "--resume", code=2)
    assert "config.py, line 1: '(' was never closed. Correct it." in said

    said = slic(
        "index", folder, "--with", run, "--out", index, "--window", "400ms", "--stride", 0.2
    )
    assert "9 videos added" in said and "skipped: 1 .txt" in said
    assert "9 unchanged" in slic("index", folder, "--out", index)
    said = slic("search", "clip 3.mp4", "--in", index, "--top", 3)
    assert said.count("clip ") == 4 and "of random pairs" in said
    hits = json.loads(slic("search", folder / "clip 3.mp4", "--in", index, "--json"))
    assert [hit["rank"] for hit in hits] == list(range(1, len(hits) + 1))
    rows = list(csv.DictReader(slic("search", "clip 3.mp4", "--in", index, "--csv").split("\n")))
    assert [row["path"] for row in rows] == [hit["path"] for hit in hits]

    said = slic("clusters", "--in", index, "--number", 3)
    assert 'clusterer=dict(type="FINCH", num_clusters=3)' in said
    rows = list(csv.DictReader((index / "clusters.csv").read_text().split("\n")))
    assert {row["path"] for row in rows} == {path.name for path in folder.glob("*.mp4")}
    assert {row["cluster"] for row in rows} == {"0", "1", "2"}
    new = tmp_path / "new"
    new.mkdir()
    shutil.copy(folder / "clip 1.mp4", new)
    said = slic("assign", new, "--in", index, "--out", tmp_path / "assigned.csv")
    assert "1 videos" in said and "0 of them are not similar to any video of the index" in said
    assert "clip 1.mp4" in (tmp_path / "assigned.csv").read_text()
    assert f"page: {tmp_path / 'r.html'}" in slic("report", run, "--out", tmp_path / "r.html")
    assert "It is finished: 3 epochs" in (tmp_path / "r.html").read_text()
    assert "written:" in slic("export", tmp_path / "x.parquet", "--in", index)

    code, said, errors = slic_process("search", "clip 3.mp4", "--in", index)
    assert code == 0 and "clip " in said and "imported torch: False" in errors
    write_video(folder / "clip 9.mp4", 20, seed=9)
    code, said, errors = slic_process("index", folder, "--out", index)
    assert code == 0 and "1 videos added, 0 renewed, 0 dropped, 9 unchanged" in said, errors


@pytest.mark.usefixtures("tiny_base")
def test_a_video_without_motion_is_left_out(
    folder: Path, tmp_path: Path, slic: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def describe(videos: list[Path], *others: object) -> tuple[list[str], int]:
        pretraining_describes(videos[1:], *others)
        return [f"{videos[0]}\tno frame can be decoded"], 0

    pretraining_describes = pretraining.describe_motion
    monkeypatch.setattr(pretraining, "describe_motion", describe)
    said = slic("pretrain", folder, "--out", tmp_path / "run", "--epochs", 1)
    assert "left out:" in said and "clip 0.mp4: no frame can be decoded" in said
    lines = (tmp_path / "run" / "videos" / pretraining.TRAIN).read_text().split("\n")
    assert len(lines) == 9 and "clip 0.mp4" not in "".join(lines) and "epoch 1 of 1" in said


@pytest.mark.usefixtures("tiny_base")
def test_a_time_budget(folder: Path, tmp_path: Path, slic: Callable[..., str]) -> None:
    said = slic("pretrain", folder, "--out", tmp_path / "run", "--time", "1s")
    assert "a step takes" in said and "epochs fit" in said
    epochs = Config.fromfile(tmp_path / "run" / "config.py").train_cfg.max_epochs
    assert f"epoch {epochs} of {epochs}: loss" in said


# Ctrl-C while a module is looked for: every process of the command gets it.
INTERRUPTED = """
import os, signal, sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name == {module!r}:
            os.killpg(0, signal.SIGINT)
sys.meta_path.insert(0, Finder())
"""


@pytest.mark.parametrize("module", ["typer", "torch"])
def test_ctrl_c_at_the_beginning_is_one_line(module: str, tmp_path: Path) -> None:
    code, said, errors = slic_process(
        "index", tmp_path, "--with", "run", prelude=INTERRUPTED.format(module=module)
    )
    line = f"\nStopped. To continue: slic index {tmp_path} --with run\n"
    assert (code, said, errors.replace("imported torch: False\n", "")) == (130, "", line)


def test_ctrl_c_at_work_is_one_line(folder: Path, slic: Callable, monkeypatch) -> None:
    def interrupt(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(pretraining, "list_videos", interrupt)
    said = slic("pretrain", folder, "--time", "1h", code=130)
    assert said == f"\nStopped. To continue: slic pretrain '{folder}' --time 1h --resume\n"


def test_help_is_quick_and_wrong_use_is_one_sentence(tmp_path: Path, slic: Callable) -> None:
    code, said, errors = slic_process("--help")
    assert code == 0 and "imported torch: False" in errors
    for command in ("pretrain", "index", "search", "clusters", "assign", "report", "export"):
        assert f"  {command} " in said
    (tmp_path / "x.csv").touch()
    (tmp_path / "x.py").write_text("model = dict(")
    index = ("index", tmp_path, "--out", tmp_path / "i", "--with")
    for arguments, sentence in (
        (
            (*index, tmp_path / "x.csv", "x.pth"),
            "x.csv is not a config of MMAction2 (.py): give one",
        ),
        ((*index, tmp_path / "no.py", "x.pth"), f"There is no config at {tmp_path / 'no.py'}."),
        (
            (*index, tmp_path / "x.py", "x.pth"),
            "x.py cannot be read: '(' was never closed (line 1)",
        ),
        (
            ("search", "x.mp4", "--in", tmp_path),
            "is not an index of videos: create one with `slic index`",
        ),
        (("index", tmp_path, "--out", tmp_path / "i"), "is a new index: give its network"),
        (("pretrain", tmp_path / "no", "--out", tmp_path / "r"), "no folder of videos at"),
        (("pretrain", tmp_path, "--backbone", "x"), "There is no backbone 'x'; there are c2d,"),
        (("pretrain", tmp_path, "--init", "no.pth"), "There is no checkpoint no.pth"),
        (("search", "x", "--start", "4 parsecs"), "is not a duration: write 4s"),
    ):
        said = slic(*arguments, code=2)
        assert sentence in said and said.count("\n") == 1 and said.startswith("slic: ")


@pytest.mark.parametrize(
    ("text", "value"),
    [("4s", 4), ("4", 4), ("1.5", 1.5), ("250ms", 0.25), ("30m", 1800), ("2h", 7200), ("0", 0)],
)
def test_durations(text: str, value: float) -> None:
    assert common.seconds(text) == pytest.approx(value)


@pytest.mark.parametrize("text", ["", "s", "x", "4 s x", "-1s", "nan", "inf", "1d"])
def test_what_is_no_duration(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration"):
        common.seconds(text)


def test_control_characters_do_not_reach_the_terminal() -> None:
    assert common.shown("a\nb\x1b[31mé") == "a\\nb\\x1b[31mé"
    assert shlex.split(common.quoted(Path("it's \n"))) == ["it's \n"]


def test_tables_fit_the_terminal(monkeypatch, capsys: pytest.CaptureFixture) -> None:
    """No short value is ever folded; where columns find no room, a row is a paragraph."""
    rows = [{"rank": str(i), "video": f"{'long name ' * 5}{i}\n", "to": "2.0 s"} for i in range(3)]
    monkeypatch.setenv("FORCE_COLOR", "1")
    for columns in (30, 45, 200):
        monkeypatch.setenv("COLUMNS", str(columns))
        common.print_table("what", rows)
        said = capsys.readouterr().out
        assert said.count("2.0 s") == 3
        assert ("rank 0, video long name" in said) == (columns == 30)
        if columns > 30:
            assert max(len(re.sub(r"\x1b\[\d+m", "", line)) for line in said.split("\n")) <= columns


def test_the_folder_of_a_run_without_model_file(
    tiny_config: Callable[..., Config], tmp_path: Path
) -> None:
    """What MMAction2's own tools leave serves as well."""
    from .runs import train

    runner = train(tiny_config(train_cfg__max_epochs=1))
    runner.save_checkpoint(runner.work_dir, "epoch_1.pth", save_optimizer=False)
    (Path(runner.work_dir) / "last_checkpoint").write_text(f"{runner.work_dir}/epoch_1.pth")
    network = Network.find(runner.work_dir)
    assert network.layer == "projection" and network.sampling.frames == 4


def test_indexes_of_one_video_and_of_none(tmp_path: Path, tiny_config: Callable, slic) -> None:
    videos, bad = tmp_path / "videos", tmp_path / "bad"
    videos.mkdir()
    write_video(videos / "a.mp4", 20, seed=0)
    bad.mkdir()
    (bad / "b.mp4").write_bytes(b"bad")
    cfg = tiny_config()
    torch.save(dict(state_dict=MODELS.build(cfg.model).state_dict()), tmp_path / "weights.pth")
    Network.from_config(cfg, tmp_path / "weights.pth").save(tmp_path / "model.pth")
    options = ("--with", tmp_path / "model.pth", "--workers", 1, "--out", tmp_path / "index")
    said = slic("index", bad, *options[:-1], tmp_path / "none", code=2)
    assert "b.mp4" in said and "can be read, so" in said and "next:" not in said
    slic("index", videos, *options)
    assert "has no video other than a.mp4" in slic("search", "a.mp4", "--in", tmp_path / "index")


def test_names_that_are_not_utf8_in_a_csv_file() -> None:
    assert common.csv_text([dict(path="bad\udcff é.mp4")]) == "path\nbad\\xff é.mp4\n"
